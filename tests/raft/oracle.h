// Watches a simulated run from outside: what the replicas do is compared with what Raft promises.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/raft/raft_group.h"
#include "tests/raft/sim_disk.h"

namespace shoal::raft::sim {

class Oracle {
 public:
  // The state that comes of applying `entry` to a state of this hash.
  static uint64_t next_hash(uint64_t hash, const Entry& entry);

  // Every replica applies the same entries and comes to the same state at every index.
  void applied(GroupId group, NodeId server, const Entry& entry, uint64_t hash);
  void state_at(GroupId group, NodeId server, Index index, uint64_t hash);
  // An index and a term name one entry, whoever writes it.
  void written(const Effects::Persist& persist);
  // One leader a term; one vote a server and term, whatever crashes in between.
  void role(NodeId server, const Effects::RoleChange& role, Index applied);
  // Nothing is acknowledged that the sender's disk does not hold.
  void sent(const Message& message, const DurableGroup& disk);
  // One configuration an index.
  void configured(const Effects::Committed& committed);
  // A leader's commit is durable on a majority.
  void committed(GroupId group, NodeId leader, Index index, Term term, size_t voters,
                 size_t durable);
  void acknowledged(GroupId group, Index index, Term term);
  void violate(std::string what);

  const std::vector<std::string>& violations() const { return violations_; }
  uint64_t acknowledged() const { return acknowledged_; }

 private:
  void vote(GroupId group, NodeId server, Term term, NodeId candidate);

  struct Seen {
    std::map<Index, Entry> entries;
    std::map<Index, uint64_t> hashes;
    std::map<std::pair<Index, Term>, uint64_t> written;
    std::map<Term, NodeId> leaders;
    std::map<std::pair<NodeId, Term>, NodeId> votes;
    std::map<Index, Configuration> configurations;
    std::map<Term, Index> acknowledged;  // the highest of each term
  };

  std::map<GroupId, Seen> groups_;
  std::vector<std::string> violations_;
  uint64_t acknowledged_ = 0;
};

}  // namespace shoal::raft::sim
