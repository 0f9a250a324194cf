// A backup that somebody reads from this node: the cut of all shards (replica::BackupCut), portion by
// portion, then the retained messages. One at a time; it ends when nothing is asked of it for a minute.
// docs/decisions/0006-backup.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/hub_store.h"
#include "cluster/core/retained.h"
#include "proto/shoal/backup.pb.h"

namespace shoal {

class BackingUp {
 public:
  struct Surroundings {
    std::function<std::string(NodeId)> name_of;
    // Why none can be begun now, for people; empty: it can.
    std::function<std::string()> why_not;
    // Of a HubCommand; `text` is the portion.
    std::function<void(uint64_t token, bool ok, std::string text)> answer;
  };
  // Without a store there is no backup.
  BackingUp(Context& context, HubStore& store, Retained& retained, Surroundings around);

  void begin(uint64_t token);
  // From 1; the last one again, or the next.
  void give(uint64_t token, uint64_t backup, uint64_t number);
  void end(uint64_t token, uint64_t backup);
  void on_tick();
  // The cut may have gone on.
  void on_turn();

  // Of the one that goes on, if it is not lost.
  uint64_t id() const { return state_ == State::kReading ? id_ : 0; }
  uint64_t bytes() const { return cut()->bytes() + retained_.tree().bytes(); }

 private:
  enum class State : uint8_t { kNone, kTaking, kReading, kLost };

  replica::BackupCut* cut() const { return store_.backup(); }
  std::string failure() const;
  void finish();
  void on_taking();
  void on_reading();
  void lose();
  void add_retained(proto::BackupPortion& portion);
  void give(proto::BackupPortion&& portion);

  Context& context_;
  HubStore& store_;
  Retained& retained_;
  const Surroundings around_;
  State state_ = State::kNone;
  uint64_t id_ = 0;
  uint64_t begin_token_ = 0;
  std::string why_;  // it is lost
  Instant last_asked_{};
  uint64_t number_ = 0;               // of the last portion that was asked for
  std::optional<std::string> bytes_;  // of it; none: it has not come
  std::vector<uint64_t> waiting_;     // for it
  std::string after_;                 // which retained message the next portion begins
  bool is_all_given_ = false;
};

}  // namespace shoal
