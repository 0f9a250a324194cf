// The Raft groups of a node: one server of each shard that has a replica here. Takes what is for all
// of them to the one that it is for, keeps what a leader cannot take yet, and gathers their effects, so
// that one write and one sync serve all. Pure: no I/O, no clock. One thread, that of the hub.
//
// A turn: any number of on_… calls, then end_turn().
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/raft/raft_group.h"
#include "shoal/types.h"

namespace shoal::replica {

class Groups {
 public:
  struct Options {
    NodeId self;
    uint32_t shards = 0;  // of the cluster
    uint64_t seed = 0;    // another one for each start
    uint32_t election_timeout_ms = 400;
    uint32_t heartbeat_ms = 80;
    // Kept in the log behind a durable state, for followers that lag a little.
    unsigned trailing = 4096;
    // Of a leader; more wait here.
    uint64_t uncommitted_entries_max = raft::GroupOptions().uncommitted_entries_max;
  };
  // `store` outlives this.
  Groups(const Options& options, raft::LogReader& store);
  ~Groups();

  // Before anything else; once for each.
  void add(raft::GroupId group, const raft::Recovered& recovered, Instant now);

  // Of a group that is not here: it is added, as a server that joins, who begins with nothing. Then
  // that shard.
  std::optional<uint32_t> on_message(NodeId from, std::span<const uint8_t> bytes, Instant now);
  // The write `number` of this group and all before it are durable.
  // True: that was the last of what it had, as it is forgotten.
  bool on_persisted(raft::GroupId group, uint64_t number, Instant now);
  void on_applied(uint32_t shard, raft::Index index, Instant now);
  // The shard's state is durable as of this applied index.
  void on_flushed(uint32_t shard, raft::Index index, Instant now);
  // A copy of the state as of this index is here, whole.
  void on_staged(uint32_t shard, raft::Index index);
  // A copy for `to`, as of this index, is on its way: the log is not cut until it is there and `to` has caught up, or that is
  // given up. Otherwise a copy that takes long would come to a log that goes on behind it.
  void on_copy_begun(uint32_t shard, NodeId to, raft::Index index);
  // A copy for `to` is there, whole (`meta`: of the state), or will not be.
  void on_copy_sent(uint32_t shard, NodeId to, uint64_t stream,
                    const std::optional<raft::SnapshotMeta>& meta, Instant now);
  // By the leader of this term; of another it is dropped.
  void on_entries(uint32_t shard, raft::Term term, std::vector<std::string> entries, Instant now);
  // Done: it has begun; asked of others than a leader that serves, or at a bad time, it has not.
  raft::Outcome change(uint32_t shard, const raft::ChangeMember& change, Instant now);
  raft::Outcome transfer(uint32_t shard, NodeId to, Instant now);  // likewise
  // Of a server that was removed, and hears from no leader any more: it becomes one that begins with nothing,
  // but for the vote that it has given. False: not now.
  bool forget(uint32_t shard, Instant now);
  void on_tick(Instant now);

  struct Send {
    NodeId to;
    std::vector<uint8_t> bytes;
  };
  struct Effects {
    raft::Effects raft;  // without `sends`
    std::vector<Send> sends;
    void clear() {
      raft.clear();
      sends.clear();
    }
  };
  Effects& end_turn();

  bool has(uint32_t shard) const { return groups_.contains(shard); }
  const raft::RaftGroup* find(uint32_t shard) const;
  // What the server had is not gone yet.
  bool is_forgetting(uint32_t shard) const;
  // Entries that no leader has taken yet.
  size_t waiting(uint32_t shard) const;

 private:
  // Who gets a copy, or got one and lacks more of the log than is kept.
  struct Fed {
    bool is_coming = true;
    raft::Index index = 0;  // that the copy is as of
    raft::Index match = 0;
    Instant moved{};  // since when neither came further
  };
  struct Group {
    std::unique_ptr<raft::RaftGroup> raft;
    raft::GroupId id;
    std::deque<raft::Payload> waiting;
    raft::Term waiting_term = 0;
    raft::Index staged = 0;
    Instant last_append{};      // of a leader
    bool is_forgotten = false;  // what it had is not gone yet
    std::map<NodeId, Fed> fed;  // while this server leads
    raft::Index flushed = 0;    // the state is durable as of it
  };
  Group* find_group(uint32_t shard);
  void submit(Group& group, Instant now);
  bool is_feeding(Group& group, Instant now);
  void cut(Group& group, Instant now);
  void start(Group& group, const raft::Recovered& recovered, Instant now);

  const Options options_;
  raft::LogReader& store_;
  std::map<uint32_t, Group> groups_;
  uint64_t starts_ = 0;  // of groups that were here before
  Effects effects_;
};

}  // namespace shoal::replica
