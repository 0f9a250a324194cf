// Takes one cut of all shards for a backup, and reads it portion by portion: the side of the node that is
// asked for it. Leaders hold their outboxes, then pin their states, then let go; each step begins when
// all have done the one before (docs/decisions/0006-backup.md has the argument). If one of them cannot,
// because another leads meanwhile, all begin anew, until it works or takes too long.
//
// Pure: no I/O, no clock. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/replica/store_client.h"
#include "proto/shoal/backup.pb.h"
#include "proto/shoal/store.pb.h"
#include "shoal/random.h"
#include "shoal/types.h"

namespace shoal::replica {

class BackupCut {
 public:
  using Leader = StoreClient::Leader;
  struct Surroundings {
    std::function<Leader(uint32_t shard)> leader;
    std::function<void(NodeId to, const proto::BackupAsk& ask)> ask;
  };
  BackupCut(uint32_t shards, uint64_t seed, Surroundings around);

  enum class State : uint8_t {
    kTaking,
    kMade,
    kLost,  // why() and node() say what happened
  };
  State state() const { return state_; }
  const std::string& why() const { return why_; }
  NodeId node() const { return node_; }  // that it was about
  uint64_t bytes() const;                // of all keys and values, about

  void begin(Now now);
  // Of what is made: asks for the next portion, unless one is on its way or all were given.
  void ask_next(Now now);
  // It came.
  std::optional<proto::BackupPortion> take();
  bool is_all_given() const { return at_ == parts_.size(); }
  // Nobody keeps anything for it any more.
  void end();

  void on_told(NodeId from, proto::BackupTold&& told, Now now);
  void on_peer_end(NodeId peer, Now now);
  void on_tick(Now now);

 private:
  using Step = proto::BackupAsk::Step;
  struct Part {
    Leader leader;
    uint64_t index = 0;
    uint64_t index_term = 0;
    uint64_t bytes = 0;
    uint64_t number = 0;  // of the last portion that was asked for
    bool is_done = false;
  };

  void try_once(Now now);
  void begin_step(Step step);
  void begin_anew(uint32_t shard, const std::string& why, Now now);
  void lose(uint32_t shard, const std::string& why);
  void ask(uint32_t shard, Step step, uint64_t number = 0);
  void on_step_done(uint32_t shard, const proto::BackupTold& told, Now now);
  void on_portion(uint32_t shard, proto::BackupTold&& told);

  Random random_;
  const Surroundings around_;
  State state_ = State::kTaking;
  std::string why_;
  NodeId node_;
  uint64_t cut_ = 0;  // of this try; 0: none goes on
  Step step_ = proto::BackupAsk::kNone;
  std::vector<Part> parts_;  // by shard
  uint32_t at_ = 0;          // the shard that is read
  bool is_asked_ = false;
  std::optional<proto::BackupPortion> portion_;
  Instant try_at_{};    // the next try
  Instant try_ends_{};  // this one
  Instant gives_up_at_{};
  Instant keep_at_{};
  Instant portion_due_{};
};

}  // namespace shoal::replica
