#include "cluster/replica/groups.h"

#include <algorithm>
#include <utility>

#include "cluster/raft/wire.h"
#include "shoal/assert.h"
#include "shoal/byte_view.h"
#include "shoal/mutation.h"
#include "shoal/random.h"

namespace shoal::replica {
namespace {

constexpr size_t kBatchEntries = 64;
// Longer than anything is on its way that a leader said when the server was none of its group's any more,
// or hears from it when it is one again.
constexpr Duration kForgetAfter = Duration::seconds(5);
// A copy that is broken off may go on, and a server that has one may catch up, without the log being cut,
// as long as it comes further so often, and the log does not grow above so many entries.
constexpr Duration kFedAfter = Duration::seconds(60);
constexpr raft::Index kUncutEntriesMax = 4'000'000;

}  // namespace

Groups::Groups(const Options& options, raft::LogReader& store) : options_(options), store_(store) {}
Groups::~Groups() = default;

Groups::Group* Groups::find_group(uint32_t shard) {
  const auto it = groups_.find(shard);
  return it == groups_.end() ? nullptr : &it->second;
}

const raft::RaftGroup* Groups::find(uint32_t shard) const {
  const auto it = groups_.find(shard);
  return it == groups_.end() ? nullptr : it->second.raft.get();
}

bool Groups::is_forgetting(uint32_t shard) const {
  const auto it = groups_.find(shard);
  return it != groups_.end() && it->second.is_forgotten;
}

size_t Groups::waiting(uint32_t shard) const {
  const auto it = groups_.find(shard);
  return it == groups_.end() ? 0 : it->second.waiting.size();
}

void Groups::add(raft::GroupId id, const raft::Recovered& recovered, Instant now) {
  Group& group = groups_[id.shard];
  SHOAL_ASSERT(!group.raft);
  group.id = id;
  start(group, recovered, now);
}

void Groups::start(Group& group, const raft::Recovered& recovered, Instant now) {
  raft::GroupOptions options;
  options.group = group.id;
  options.self = options_.self;
  options.seed = Random(options_.seed ^ group.id.shard ^ starts_ << 32).next();
  options.election_timeout_ms = options_.election_timeout_ms;
  options.heartbeat_ms = options_.heartbeat_ms;
  options.uncommitted_entries_max = options_.uncommitted_entries_max;
  group.last_append = now;
  group.raft = std::make_unique<raft::RaftGroup>(options, store_);
  group.raft->start(now, recovered, effects_.raft);
}

bool Groups::forget(uint32_t shard, Instant now) {
  Group* const group = find_group(shard);
  if (group == nullptr || group->is_forgotten || !group->raft->is_quiet()) return false;
  const bool is_silent = now - group->last_append >= kForgetAfter;
  if (!is_silent && !SHOAL_MUTATED("placement-forgets-voter")) return false;
  if (group->raft->last() == 0) return false;
  // They would bring its snapshot back.
  std::erase_if(effects_.raft.cuts,
                [group](const raft::Effects::Cut& each) { return each.group == group->id; });
  raft::Effects::Persist& forget = effects_.raft.persists.emplace_back();
  forget.group = group->id;
  forget.hard_state = group->raft->hard_state();
  forget.forget = true;
  group->is_forgotten = true;
  group->waiting.clear();
  group->fed.clear();
  group->flushed = 0;
  group->staged = 0;
  ++starts_;
  start(*group, {.hard_state = group->raft->hard_state()}, now);
  return true;
}

std::optional<uint32_t> Groups::on_message(NodeId from, std::span<const uint8_t> bytes,
                                           Instant now) {
  std::optional<raft::Message> message = raft::decode(bytes);
  if (!message || message->from != from || message->to != options_.self) return std::nullopt;
  Group* group = find_group(message->group.shard);
  const bool is_append = std::holds_alternative<raft::AppendEntries>(message->body);
  std::optional<uint32_t> joined;
  if (group == nullptr && is_append && message->group.shard < options_.shards) {
    joined = message->group.shard;
    add(message->group, {}, now);
    group = find_group(message->group.shard);
  }
  if (group == nullptr || group->id != message->group) return joined;
  if (is_append) group->last_append = now;
  // Its data must be here. They are used once.
  if (const auto* const install = std::get_if<raft::InstallSnapshot>(&message->body)) {
    const raft::Index staged = std::exchange(group->staged, 0);
    if (staged != install->meta.index && !SHOAL_MUTATED("store-other-copy-installed"))
      return joined;
  }
  group->raft->step(now, raft::Received{std::move(*message)}, effects_.raft);
  submit(*group, now);
  return joined;
}

bool Groups::on_persisted(raft::GroupId id, uint64_t number, Instant now) {
  Group* const group = find_group(id.shard);
  if (group == nullptr || group->id != id) return false;
  const bool was_forgotten = std::exchange(group->is_forgotten, false);
  if (number != 0) group->raft->step(now, raft::Persisted{number}, effects_.raft);
  return was_forgotten;
}

void Groups::on_applied(uint32_t shard, raft::Index index, Instant now) {
  Group* const group = find_group(shard);
  if (group == nullptr) return;
  group->raft->step(now, raft::Applied{index}, effects_.raft);
  submit(*group, now);
}

void Groups::on_flushed(uint32_t shard, raft::Index index, Instant now) {
  Group* const group = find_group(shard);
  // What was flushed of a state that is forgotten means nothing.
  if (group == nullptr || index > group->raft->applied()) return;
  group->flushed = std::max(group->flushed, index);
  cut(*group, now);
}

void Groups::cut(Group& group, Instant now) {
  if (group.flushed <= group.raft->snapshot().index || group.flushed > group.raft->applied() ||
      is_feeding(group, now)) {
    return;
  }
  group.raft->step(now, raft::SnapshotTaken{group.flushed, options_.trailing}, effects_.raft);
}

bool Groups::is_feeding(Group& group, Instant now) {
  const raft::RaftGroup& raft = *group.raft;
  const bool is_long = raft.last() - raft.snapshot().index > kUncutEntriesMax;
  if (!raft.role().serving || is_long) group.fed.clear();
  for (auto it = group.fed.begin(); it != group.fed.end();) {
    Fed& fed = it->second;
    const raft::Index match = raft.match(it->first);
    if (match > std::exchange(fed.match, match)) fed.moved = now;
    const bool has_caught_up = match >= fed.index && match + options_.trailing >= raft.last();
    const bool is_over = !fed.is_coming && (has_caught_up || now - fed.moved > kFedAfter);
    it = is_over ? group.fed.erase(it) : std::next(it);
  }
  return !group.fed.empty();
}

void Groups::on_copy_begun(uint32_t shard, NodeId to, raft::Index index) {
  if (Group* const group = find_group(shard)) group->fed[to] = {.index = index};
}

void Groups::on_staged(uint32_t shard, raft::Index index) {
  if (Group* const group = find_group(shard)) group->staged = index;
}

void Groups::on_copy_sent(uint32_t shard, NodeId to, uint64_t stream,
                          const std::optional<raft::SnapshotMeta>& meta, Instant now) {
  Group* const group = find_group(shard);
  if (group == nullptr) return;
  if (const auto fed = group->fed.find(to); fed != group->fed.end()) {
    fed->second.is_coming = false;
    fed->second.moved = now;
  }
  if (meta) {
    if (auto message = group->raft->install_message(to, *meta)) {
      effects_.raft.sends.push_back(std::move(*message));
    }
  }
  group->raft->step(now, raft::SnapshotSent{to, stream}, effects_.raft);
}

void Groups::on_entries(uint32_t shard, raft::Term term, std::vector<std::string> entries,
                        Instant now) {
  Group* const group = find_group(shard);
  if (group == nullptr) return;
  if (group->waiting_term != term) group->waiting.clear();
  group->waiting_term = term;
  for (const std::string& each : entries) {
    const ByteView bytes = bytes_of(each);  // copied in one go, which characters are not
    group->waiting.push_back(
        std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.end()));
  }
  submit(*group, now);
}

// In order; what a busy group refuses stays. A leader that is none any more has no use for the rest: the
// nodes submit it again to its successor.
void Groups::submit(Group& group, Instant now) {
  while (!group.waiting.empty()) {
    const auto role = group.raft->role();
    if (!role.serving || role.term != group.waiting_term) {
      group.waiting.clear();
      return;
    }
    const size_t count = std::min(group.waiting.size(), kBatchEntries);
    raft::Submit batch;
    batch.commands.assign(group.waiting.begin(),
                          group.waiting.begin() + static_cast<std::ptrdiff_t>(count));
    const raft::Outcome outcome = group.raft->step(now, std::move(batch), effects_.raft);
    if (outcome == raft::Outcome::kBusy) return;
    group.waiting.erase(group.waiting.begin(),
                        group.waiting.begin() + static_cast<std::ptrdiff_t>(count));
    if (outcome != raft::Outcome::kDone) group.waiting.clear();
  }
}

raft::Outcome Groups::change(uint32_t shard, const raft::ChangeMember& change, Instant now) {
  Group* const group = find_group(shard);
  if (group == nullptr) return raft::Outcome::kNotLeader;
  return group->raft->step(now, change, effects_.raft);
}

raft::Outcome Groups::transfer(uint32_t shard, NodeId to, Instant now) {
  Group* const group = find_group(shard);
  if (group == nullptr) return raft::Outcome::kNotLeader;
  return group->raft->step(now, raft::Transfer{to}, effects_.raft);
}

void Groups::on_tick(Instant now) {
  for (auto& [shard, group] : groups_) {
    if (now >= group.raft->deadline()) group.raft->step(now, raft::Tick{}, effects_.raft);
    cut(group, now);
    submit(group, now);
  }
}

Groups::Effects& Groups::end_turn() {
  for (const raft::Message& message : effects_.raft.sends) {
    Send& send = effects_.sends.emplace_back();
    send.to = message.to;
    raft::encode(message, send.bytes);
  }
  effects_.raft.sends.clear();
  return effects_;
}

}  // namespace shoal::replica
