#include "tests/raft/oracle.h"

#include <absl/strings/str_cat.h>

#include <utility>

namespace shoal::raft::sim {
namespace {

std::string where(GroupId group, NodeId server, Index index) {
  return absl::StrCat("group ", group.shard, " server ", server.value, " index ", index);
}

}  // namespace

uint64_t Oracle::next_hash(uint64_t hash, const Entry& entry) {
  const auto mix = [&](uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
  for (const uint8_t byte : bytes_of(entry.payload)) mix(byte);
  mix(entry.term);
  mix(static_cast<uint64_t>(entry.kind));
  mix(entry.index);
  return hash;
}

void Oracle::violate(std::string what) { violations_.push_back(std::move(what)); }

void Oracle::applied(GroupId group, NodeId server, const Entry& entry, uint64_t hash) {
  const auto [known, is_new] = groups_[group].entries.try_emplace(entry.index, entry);
  if (!is_new && !(known->second == entry)) {
    violate(absl::StrCat("two entries at one index: ", where(group, server, entry.index)));
  }
  state_at(group, server, entry.index, hash);
}

void Oracle::state_at(GroupId group, NodeId server, Index index, uint64_t hash) {
  const auto [known, is_new] = groups_[group].hashes.try_emplace(index, hash);
  if (!is_new && known->second != hash) {
    violate(absl::StrCat("states differ: ", where(group, server, index)));
  }
}

void Oracle::written(const Effects::Persist& persist) {
  for (const Entry& entry : persist.entries) {
    const uint64_t hash = next_hash(0, entry);
    const auto [known, is_new] =
        groups_[persist.group].written.try_emplace({entry.index, entry.term}, hash);
    if (!is_new && known->second != hash) {
      violate(absl::StrCat("two entries of one index and term: group ", persist.group.shard,
                           " index ", entry.index, " term ", entry.term));
    }
  }
}

void Oracle::vote(GroupId group, NodeId server, Term term, NodeId candidate) {
  const auto [known, is_new] = groups_[group].votes.try_emplace({server, term}, candidate);
  if (!is_new && known->second != candidate) {
    violate(absl::StrCat("two votes in term ", term, ": ", where(group, server, 0)));
  }
}

void Oracle::role(NodeId server, const Effects::RoleChange& role, Index applied) {
  if (role.role != Effects::RoleChange::Role::kLeader) return;
  Seen& seen = groups_[role.group];
  const auto [known, is_new] = seen.leaders.try_emplace(role.term, server);
  if (!is_new && known->second != server) {
    violate(absl::StrCat("two leaders in term ", role.term, ": ", where(role.group, server, 0)));
  }
  if (!role.serving) return;
  for (const auto& [term, index] : seen.acknowledged) {
    if (term < role.term && index > applied) {
      violate(absl::StrCat("serves without what was acknowledged before: ",
                           where(role.group, server, index)));
    }
  }
}

void Oracle::sent(const Message& message, const DurableGroup& disk) {
  if (const auto* result = std::get_if<AppendResult>(&message.body)) {
    if (result->rejected == 0 && result->last_index > disk.end()) {
      violate(absl::StrCat("acknowledges beyond its durable log: ",
                           where(message.group, message.from, result->last_index)));
    }
  }
  if (const auto* request = std::get_if<RequestVote>(&message.body)) {
    if (!request->pre_vote) vote(message.group, message.from, message.term, message.from);
  }
  if (const auto* result = std::get_if<VoteResult>(&message.body)) {
    if (result->granted && !result->pre_vote) {
      vote(message.group, message.from, message.term, message.to);
    }
  }
}

void Oracle::configured(const Effects::Committed& committed) {
  const auto [known, is_new] =
      groups_[committed.group].configurations.try_emplace(committed.index, committed.configuration);
  if (!is_new && !(known->second == committed.configuration)) {
    violate(absl::StrCat("two configurations at index ", committed.index));
  }
}

void Oracle::committed(GroupId group, NodeId leader, Index index, Term term, size_t voters,
                       size_t durable) {
  if (durable * 2 > voters) return;
  violate(absl::StrCat("committed but durable on ", durable, " of ", voters, ", term ", term, ": ",
                       where(group, leader, index)));
}

void Oracle::acknowledged(GroupId group, Index index, Term term) {
  ++acknowledged_;
  Index& highest = groups_[group].acknowledged[term];
  highest = std::max(highest, index);
}

}  // namespace shoal::raft::sim
