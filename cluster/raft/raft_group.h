// One server of one Raft group: step(event) -> {persist, send, apply, role}. Decides, and does nothing:
// no I/O, no clock, no thread, and no chance but from the seed. The engine is libraft's step interface
// (engine.h); round it stand the rules that it needs and does not have, the guards, each told where it
// is enforced (guards.h lists them). docs/raft.md is the longer story.
//
// One thread drives all groups of a node. It collects the effects of a turn, sends what is to be sent,
// hands the writes of all groups to the log writer as one batch with one sync, and steps Persisted for
// each group when that is done. Messages that say what is not yet durable are held back in here.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cluster/raft/group_log.h"
#include "cluster/raft/raft_events.h"

struct raft_engine;
struct engine_update;

namespace shoal::raft {

struct GroupOptions {
  GroupId group;
  NodeId self;
  uint64_t seed = 0;                    // another one for each server and each start
  uint32_t election_timeout_ms = 1000;  // drawn between this and twice this
  uint32_t heartbeat_ms = 100;
  uint32_t install_timeout_ms = 60'000;
  uint32_t catch_up_round_ms = 5'000;
  uint32_t inflight_entries_max = 256;      // sent to one follower and not answered
  size_t message_bytes_max = 256 * 1024;    // of entries in one message; a larger entry goes alone
  size_t apply_bytes_max = 1024 * 1024;     // in one Apply; likewise
  uint64_t apply_entries_max = 4096;        // handed out and not yet applied
  uint64_t uncommitted_entries_max = 8192;  // of a leader; more are refused as kBusy
};

class RaftGroup {
 public:
  // The reader outlives the group.
  RaftGroup(const GroupOptions& options, LogReader& store);
  ~RaftGroup();
  RaftGroup(const RaftGroup&) = delete;
  RaftGroup& operator=(const RaftGroup&) = delete;

  // The log of each founding server, all of whose voters are named at once (guard 6); it is durable
  // before any of them starts. A server that joins later starts with nothing.
  static Recovered founded(const Configuration& voters);

  // First of all, once. Then `now` never goes back; if it does, it stands still.
  void start(Instant now, const Recovered& recovered, Effects& out);
  Outcome step(Instant now, Event event, Effects& out);

  // When the next Tick is due, unless a step moves it.
  Instant deadline() const;

  NodeId self() const { return options_.self; }
  Effects::RoleChange role() const { return role_; }
  Index first() const { return log_.first(); }
  Index last() const { return log_.last(); }  // of a Submit that is done: its last entry
  Index commit() const { return commit_; }
  Index applied() const { return applied_; }
  Index durable() const;
  Term term_at(Index index) const { return log_.term_of(index); }  // 0: not known any more
  const SnapshotMeta& snapshot() const { return snapshot_; }
  NodeId promotee() const { return promotee_; }
  bool is_change_pending() const;
  bool is_installing() const { return installing_; }
  // Nothing that it wanted done is under way.
  bool is_quiet() const { return writes_.empty() && handed_ == applied_ && !installing_; }
  bool is_transferring() const;
  Index match(NodeId server) const;  // a leader's knowledge of a follower's durable log
  Index lag(NodeId server) const;    // entries that it lacks, likewise
  HardState hard_state() const;      // as it was to be made durable last
  // As the log has it, committed or not; null before the first entry.
  const Configuration* configuration() const;
  // The change that holds at `index`, which is applied and not below snapshot(); null otherwise.
  const GroupLog::Change* change_at(Index index) const;
  // What a state at `index` says of itself, likewise.
  std::optional<SnapshotMeta> meta_at(Index index) const;
  // Follows the data of a stream that SendSnapshot asked for; none when this server leads no more.
  std::optional<Message> install_message(NodeId to, const SnapshotMeta& meta) const;

 private:
  struct Write {
    uint64_t number;
    Index last;  // of its entries, 0 without
    std::optional<SnapshotMeta> install;
  };

  // raft_group.cc
  Outcome on(Tick, Effects& out);
  Outcome on(Persisted event, Effects& out);
  Outcome on(Applied event, Effects& out);
  Outcome on(const SnapshotTaken& event, Effects& out);
  Outcome on(const SnapshotSent& event, Effects& out);
  void report_durable(uint64_t number, Effects& out);
  void finish_install(const SnapshotMeta& meta, Effects& out);
  void settle(Effects& out);
  void settle_leadership(Effects& out);
  void settle_configuration(Effects& out);
  void settle_promotion(Effects& out);
  void hand_out(Effects& out);
  void report_role(Effects& out);
  void check_invariants() const;

  // group_submit.cc: what leaders are asked for
  Outcome on(Submit event, Effects& out);
  Outcome on(ChangeMember event, Effects& out);
  Outcome on(Transfer event, Effects& out);
  Outcome submit(std::vector<Entry> entries, Effects& out);
  Outcome check_leads() const;
  bool do_learners_vote() const;
  Outcome submit_change(ChangeMember::How how, NodeId server, Effects& out);

  // group_receive.cc
  Outcome on(Received event, Effects& out);
  Outcome receive(const Message& message, const RequestVote& body, Effects& out);
  Outcome receive(const Message& message, const VoteResult& body, Effects& out);
  Outcome receive(const Message& message, AppendEntries body, Effects& out);
  Outcome receive(const Message& message, const AppendResult& body, Effects& out);
  Outcome receive(const Message& message, const InstallSnapshot& body, Effects& out);
  Outcome receive(const Message& message, const TimeoutNow& body, Effects& out);
  bool may_be_voter(const RequestVote& body) const;
  bool contradicts_commit(const AppendEntries& body) const;
  void cut_committed(AppendEntries& body) const;
  void append(const Message& message, const AppendEntries& body, Effects& out);
  bool append_piece(const Message& message, const AppendEntries& body, size_t begin, size_t end,
                    Effects& out);

  // group_effects.cc: what a step of the engine changed
  struct Cause {
    const Message* message = nullptr;     // that was received
    std::span<const Entry> entries = {};  // the engine's new ones are the last of these
  };
  void absorb(const engine_update& update, const Cause& cause, Effects& out);
  void persist(const engine_update& update, const Cause& cause, Effects& out);
  void send_all(size_t count, const Cause& cause, Effects& out);
  void send(Message message, Effects& out);
  void send_entries(Message message, AppendEntries body, size_t count, Effects& out);
  void send_snapshot(NodeId to, Index least, Effects& out);
  void release_held(Effects& out);

  bool is_leader() const;
  Term term() const;

  const GroupOptions options_;
  LogReader& store_;
  struct EngineDeleter {
    void operator()(raft_engine* engine) const;
  };
  const std::unique_ptr<raft_engine, EngineDeleter> engine_;
  uint64_t now_ms_ = 0;
  uint64_t leader_heard_ms_ = 0;  // of this term, when its last message came

  GroupLog log_;
  SnapshotMeta snapshot_;
  Index commit_ = 0;
  Index handed_ = 0;  // handed out to be applied
  Index applied_ = 0;
  Index configured_ = 0;  // the engine was told of the committed changes up to here

  uint64_t number_ = 0;          // of the last write asked for
  uint64_t durable_number_ = 0;  // and of the last one done
  uint64_t hard_number_ = 0;  // of the last one that messages wait for: a term, a vote, a founding
  std::deque<Write> writes_;  // not done
  std::deque<Message> held_;  // until hard_number_ is done
  bool installing_ = false;

  Term led_term_ = 0;  // that this server leads or led last
  Index barrier_ = 0;  // the first entry of its own term, while it leads
  NodeId promotee_;
  uint64_t streams_ = 0;
  std::map<NodeId, uint64_t> sending_;  // snapshots
  Effects::RoleChange role_;
};

}  // namespace shoal::raft
