// A replica that has lost what it promised is not the same any more: it could vote twice in a term, or
// let a majority forget what it acknowledged. So whatever is missing or does not fit refuses to open; the
// node comes back with an empty data directory, as a new one. RocksDB and the log store see to damaged
// files; here is what only the log and the state together tell.
#include "cluster/engine/opening.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "cluster/engine/log_records.h"
#include "cluster/raft/raft_group.h"
#include "shoal/random.h"

namespace shoal::engine {
namespace {

constexpr const char* kAsANewNode =
    ". A node that has lost what it promised may come back as a new one only, with an empty data "
    "directory";

std::string shard_name(uint32_t shard) { return "shard " + std::to_string(shard); }

absl::Status lost(const std::string& what) { return absl::DataLossError(what + kAsANewNode); }

// Not for other users: they hold what clients send.
absl::Status make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return absl::UnavailableError(directory + ": cannot be made: " + std::strerror(errno));
}

// The entries of the directory itself: RocksDB syncs what is in its own.
absl::Status sync_directory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = fd >= 0 && ::fsync(fd) == 0;
  const std::string why = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  if (is_synced) return absl::OkStatus();
  return absl::UnavailableError(directory + ": cannot be synced: " + why);
}

// A learner of a lone voter is not the one that is alone.
bool is_lone_voter(const raft::Recovered& recovered, NodeId node) {
  const raft::Configuration servers = last_configuration(recovered);
  const raft::Server* const own = servers.find(node);
  return servers.voters() == 1 && own != nullptr && own->role == raft::Role::kVoter;
}

class Opening {
 public:
  Opening(const OpeningOptions& options, const StorePlan& plan) : options_(options), plan_(plan) {}

  absl::StatusOr<OpenStore> run() {
    for (const auto step :
         {&Opening::open_log, &Opening::found, &Opening::open_state, &Opening::open_hosts,
          &Opening::check_states, &Opening::open_retained}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    return std::move(store_);
  }

 private:
  std::string log_directory() const { return options_.directory + "/log"; }
  std::string state_directory() const { return options_.directory + "/shards"; }

  std::string retained_directory() const { return options_.directory + "/retained"; }

  // In any incarnation: what the node founded may have been recovered since.
  bool has(uint32_t shard) const {
    const auto at = store_.groups.lower_bound({shard, 0});
    return at != store_.groups.end() && at->first.shard == shard;
  }

  absl::Status make(const std::string& directory) const;
  absl::Status open_log();
  absl::Status open_retained();
  absl::Status found();
  absl::Status open_state();
  absl::Status open_hosts();
  absl::Status check_states();
  absl::Status check_state(uint32_t shard, const raft::Recovered& recovered, raft::Index applied);
  absl::Status add(storage::RecoveredLog&& log);

  const OpeningOptions& options_;
  const StorePlan& plan_;
  OpenStore store_;
  std::set<uint32_t> founded_;
  std::vector<raft::GroupId> superseded_;
};

// What a node once had on its disks is not made anew.
absl::Status Opening::make(const std::string& directory) const {
  if (!plan_.found && ::access(directory.c_str(), F_OK) != 0 && errno == ENOENT) {
    return lost(directory + " is missing");
  }
  return make_directory(directory);
}

absl::Status Opening::open_log() {
  if (absl::Status made = make(log_directory()); !made.ok()) return made;
  auto log = storage::LogStore::open(log_directory(), options_.durability);
  if (!log.ok()) return log.status();
  store_.log = *std::move(log);
  auto logs = store_.log->recover(wants_payload);
  if (!logs.ok()) return logs.status();
  for (storage::RecoveredLog& each : *logs) {
    if (absl::Status added = add(std::move(each)); !added.ok()) return added;
  }
  for (const raft::GroupId old : superseded_) {
    if (absl::Status removed = store_.log->remove(log_group_of(old)); !removed.ok()) return removed;
  }
  return absl::OkStatus();
}

// Of two incarnations of a shard the higher counts: recover() wrote it, and was to remove the other.
absl::Status Opening::add(storage::RecoveredLog&& log) {
  const raft::GroupId group = group_id_of(log.group);
  absl::StatusOr<raft::Recovered> recovered = recovered_of(std::move(log));
  if (!recovered.ok()) {
    return lost(log_directory() + ": " + std::string(recovered.status().message()));
  }
  if (group.shard >= plan_.shards) {
    return lost(log_directory() + ": " + shard_name(group.shard) + " of incarnation " +
                std::to_string(group.incarnation) + " does not belong to this cluster");
  }
  if (!store_.replicas.empty() && store_.replicas.back().group.shard == group.shard) {
    superseded_.push_back(store_.replicas.back().group);
    store_.groups.erase(superseded_.back());
    store_.replicas.pop_back();
  }
  store_.groups[group] = {recovered->hard_state, recovered->snapshot};
  store_.replicas.push_back(
      {group, std::make_shared<const raft::Recovered>(*std::move(recovered))});
  return absl::OkStatus();
}

// All that are missing in one write, durable before anybody hears of it.
absl::Status Opening::found() {
  std::vector<storage::RecoveredLog> logs;
  for (const StorePlan::Group& each : plan_.groups) {
    if (has(each.id.shard)) continue;
    if (!plan_.found) {
      return lost("the log of " + shard_name(each.id.shard) + " is missing in " + log_directory());
    }
    logs.push_back(log_of(each.id, raft::RaftGroup::founded(each.voters)));
    founded_.insert(each.id.shard);
  }
  if (logs.empty()) return absl::OkStatus();
  std::vector<storage::LogWrite> writes;
  for (const storage::RecoveredLog& log : logs) {
    writes.push_back({.group = log.group, .state = log.state, .first = 1, .entries = log.entries});
  }
  if (absl::Status written = store_.log->write(writes); !written.ok()) return written;
  if (absl::Status synced = store_.log->sync(); !synced.ok()) return synced;
  for (storage::RecoveredLog& log : logs) {
    if (absl::Status added = add(std::move(log)); !added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::Status Opening::open_state() {
  storage::StateStoreOptions state;
  state.write_buffer_bytes = options_.write_buffer_bytes;
  state.block_cache_bytes = options_.block_cache_bytes;
  // Otherwise what was applied is durable in the log already. An error stays with the log store.
  if (options_.durability == storage::Durability::kOs) {
    state.before_flush = [log = store_.log.get()] { (void)log->sync(); };
  }
  if (absl::Status made = make_directory(state_directory()); !made.ok()) return made;
  auto opened = storage::StateStore::open(state_directory(), state);
  if (!opened.ok()) return opened.status();
  store_.state = *std::move(opened);
  return absl::OkStatus();
}

absl::Status Opening::open_retained() {
  if (absl::Status made = make(retained_directory()); !made.ok()) return made;
  auto opened = storage::RetainedStore::open(retained_directory(), options_.durability);
  if (!opened.ok()) return opened.status();
  store_.retained = *std::move(opened);
  return sync_directory(options_.directory);
}

absl::Status Opening::open_hosts() {
  for (const StoredReplica& each : store_.replicas) {
    store_.hosts.push_back(make_replica(options_, plan_, *store_.state, each.group.shard));
  }
  return store_.state->status();
}

absl::Status Opening::check_states() {
  for (size_t i = 0; i < store_.hosts.size(); ++i) {
    const ShardReplica& replica = store_.hosts[i];
    const raft::Index applied = replica.host->server().state().applied();
    absl::Status wrong = check_state(replica.shard, *store_.replicas[i].recovered, applied);
    if (!wrong.ok()) return wrong;
  }
  return absl::OkStatus();
}

// A state shows commands alone, so it may well be a little below what it was flushed at.
absl::Status Opening::check_state(uint32_t shard, const raft::Recovered& recovered,
                                  raft::Index applied) {
  const raft::Index flushed = recovered.snapshot ? recovered.snapshot->index : 0;
  const raft::Index last = recovered.first + recovered.log.size() - 1;
  raft::Index least = recovered.first > 1 ? 1 : 0;
  for (const raft::Entry& entry : recovered.log) {
    if (entry.index > flushed) break;
    if (entry.kind == raft::EntryKind::kCommand) least = entry.index;
  }
  const std::string where = "the state of " + shard_name(shard) + " in " + state_directory() +
                            " is as of entry " + std::to_string(applied);
  if (applied < least) {
    return lost(where + ", the log goes on behind " + std::to_string(flushed));
  }
  // Where there are other voters, a copy of theirs may have become the state just before a crash.
  const bool is_alone = founded_.contains(shard) || is_lone_voter(recovered, plan_.self);
  if (is_alone && applied > last) {
    return lost(where + ", the log ends at " + std::to_string(last));
  }
  return absl::OkStatus();
}

}  // namespace

ShardReplica make_replica(const OpeningOptions& options, const StorePlan& plan,
                          storage::StateStore& state, uint32_t shard) {
  ShardReplica replica;
  replica.shard = shard;
  replica.disk = state.disk(shard);
  replica::ShardServer::Options server;
  server.shard = shard;
  server.shards = plan.shards;
  server.cluster_seed = plan.cluster_seed;
  server.router_seed = Random(options.seed ^ shard).next();
  server.copy_rate = options.copy_rate;
  server.limits = options.limits;
  server.limits.bodies_bytes_max /= plan.shards;
  replica.host = std::make_unique<replica::ShardHost>(server, *replica.disk);
  return replica;
}

absl::StatusOr<OpenStore> open_store(const OpeningOptions& options, const StorePlan& plan) {
  return Opening(options, plan).run();
}

}  // namespace shoal::engine
