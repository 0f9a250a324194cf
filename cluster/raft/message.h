// What the servers of a group say to each other; wire.h makes bytes of it and back.
#pragma once

#include <variant>
#include <vector>

#include "cluster/raft/types.h"

namespace shoal::raft {

struct RequestVote {
  Index last_index = 0;
  Term last_term = 0;
  bool disrupt_leader = false;  // the leader told the sender to
  bool pre_vote = false;
  bool operator==(const RequestVote&) const = default;
};

struct VoteResult {
  bool granted = false;
  bool pre_vote = false;
  bool operator==(const VoteResult&) const = default;
};

struct AppendEntries {
  Index prev_index = 0;
  Term prev_term = 0;
  Index commit = 0;
  std::vector<Entry> entries;  // from prev_index + 1 on, without a gap
  bool operator==(const AppendEntries&) const = default;
};

struct AppendResult {
  Index rejected = 0;    // the prev_index that did not match; 0: it matched
  Index last_index = 0;  // durable and the same as the leader's; of a rejection: where to try next
  bool operator==(const AppendResult&) const = default;
};

// Follows the data, which is streamed apart; the receiver has all of it when it steps this.
struct InstallSnapshot {
  SnapshotMeta meta;
  bool operator==(const InstallSnapshot&) const = default;
};

struct TimeoutNow {
  Index last_index = 0;
  Term last_term = 0;
  bool operator==(const TimeoutNow&) const = default;
};

using Body =
    std::variant<RequestVote, VoteResult, AppendEntries, AppendResult, InstallSnapshot, TimeoutNow>;

struct Message {
  GroupId group;
  NodeId from;
  NodeId to;
  Term term = 0;
  Body body;
  bool operator==(const Message&) const = default;
};

}  // namespace shoal::raft
