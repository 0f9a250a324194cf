// What a RaftGroup is told, and what it wants done: the seam step(event) -> {persist, send, apply, role}.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "cluster/raft/message.h"
#include "cluster/raft/types.h"

namespace shoal::raft {

struct HardState {
  Term term = 0;
  NodeId vote;  // none: no vote in this term
  bool operator==(const HardState&) const = default;
};

// What a node's disk holds of a group when the node starts.
struct Recovered {
  HardState hard_state;
  // Of the state as it was last made durable; the state itself may be ahead of that, and then passes
  // over what it has.
  std::optional<SnapshotMeta> snapshot;
  Index first = 1;  // of the log
  // The log, all of it; the payload is needed of changes only. Where there is a snapshot at S, the log
  // holds an entry of its term at S, or begins at S + 1, or is empty (with `first` S + 1): what does
  // not follow the snapshot was left by an installation that was cut short, and is not given.
  std::vector<Entry> log;
};

// -- events ---------------------------------------------------------------------------------------

// The deadline is over.
struct Tick {};

// From another server. An InstallSnapshot only when its data are here, durable, under a name of
// their own: a Persist with `install` follows if they are wanted, nothing if they are not.
struct Received {
  Message message;
};

// Every Persist of this group with this number or a lower one is durable.
struct Persisted {
  uint64_t number = 0;
};

// Appends commands, in one batch; leaders that serve only.
struct Submit {
  std::vector<Payload> commands;
};

// One server at a time. A learner is added first, and promoted when it has the log; kDone says only
// that the change has begun: Effects::configurations tells when it is committed. A promotion that
// finds the learner too slow is given up silently (promotee() says so) and may be asked for again.
// A group with one voter promotes nobody alone: it is founded anew with all its learners at once, of
// which there are two or more, an even number, and each knows that it is one; `server` is one of them.
struct ChangeMember {
  enum class How : uint8_t { kAddLearner, kPromote, kRemove, kFoundAnew };
  How how = How::kAddLearner;
  NodeId server;
};

// Hands the leadership to `to`, or to the most suitable voter.
struct Transfer {
  NodeId to;
};

// The state machine has applied everything up to this index.
struct Applied {
  Index index = 0;
};

// The state is durable as of `index` (applied), and can be streamed from there on; of the entries up
// to it the last `trailing` stay in the log for followers that lag a little.
struct SnapshotTaken {
  Index index = 0;
  unsigned trailing = 0;
};

// The stream to this server is over, well or not. Until then no other to it is asked for.
struct SnapshotSent {
  NodeId to;
  uint64_t stream = 0;
};

using Event = std::variant<Tick, Received, Persisted, Submit, ChangeMember, Transfer, Applied,
                           SnapshotTaken, SnapshotSent>;

// What came of an event; only Submit, ChangeMember, Transfer and Received give another than kDone.
enum class Outcome : uint8_t {
  kDone,
  kNotLeader,
  kNotServing,  // a leader that has not yet applied an entry of its own term
  kBusy,        // a change, a promotion or a transfer is running, or too much is uncommitted
  kRefused,     // the change may not be made: see check_change(); the message cannot be true
  kOtherGroup,  // the message belongs to another incarnation, or to nobody here
};

// -- effects --------------------------------------------------------------------------------------

// One list may be filled by many groups before it is carried out, so that one write and one sync
// serve all. Of one group each kind is in order.
struct Effects {
  // To be made durable as a whole or not at all, in the order of `number`, which rises by one in
  // each group. A write replaces the log from `first` on by `entries`.
  struct Persist {
    GroupId group;
    uint64_t number = 0;
    std::optional<HardState> hard_state;
    Index first = 0;  // 0: no entries
    std::vector<Entry> entries;
    // The staged state of this snapshot becomes the state, and the log becomes empty, so that the
    // next entry is meta.index + 1. What was handed out to be applied before is void.
    std::optional<SnapshotMeta> install;
    // Of a group that is forgotten: all entries and the snapshot go, the hard state stays.
    bool forget = false;
  };
  // Committed, durable here, in order and without a gap.
  struct Apply {
    GroupId group;
    std::vector<Entry> entries;
  };
  // Stream the state to `to`: as of any applied index that is not below `least`, then
  // RaftGroup::install_message() of it on the control lane's terms. Then SnapshotSent.
  struct SendSnapshot {
    GroupId group;
    NodeId to;
    uint64_t stream = 0;
    Index least = 0;
  };
  // `snapshot` of the state that is durable: to be kept beside the log, for Recovered. Entries before
  // `first` may go with that or later, not before. Neither need be durable at once.
  struct Cut {
    GroupId group;
    SnapshotMeta snapshot;
    Index first = 0;
  };
  struct RoleChange {
    enum class Role : uint8_t { kFollower, kCandidate, kLeader };
    GroupId group;
    Role role = Role::kFollower;
    Term term = 0;
    NodeId leader;         // none known: 0
    bool serving = false;  // leads, and has applied an entry of its own term
    bool operator==(const RoleChange&) const = default;
  };
  struct Committed {
    GroupId group;
    Index index = 0;
    Configuration configuration;
  };

  std::vector<Persist> persists;
  std::vector<Message>
      sends;  // at once: those that must wait for a write come after its completion
  std::vector<Apply> applies;
  std::vector<SendSnapshot> snapshots;
  std::vector<Cut> cuts;
  std::vector<RoleChange> roles;
  std::vector<Committed> configurations;

  void clear();
};

}  // namespace shoal::raft
