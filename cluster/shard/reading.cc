// What the leader asks of the state.
#include <algorithm>

#include "cluster/shard/shard_core.h"

namespace shoal::shard {
namespace {

// Counts what a portion holds: one item always fits.
class PortionBudget {
 public:
  explicit PortionBudget(const ShardState::PortionLimits& limits) : limits_(limits) {}
  bool take(size_t bytes) {
    if (items_ != 0 && (items_ == limits_.items || bytes_ + bytes > limits_.bytes)) return false;
    ++items_;
    bytes_ += bytes;
    return true;
  }

 private:
  const ShardState::PortionLimits& limits_;
  size_t items_ = 0;
  size_t bytes_ = 0;
};

template <class Record>
std::optional<Record> record_at(const Tables& tables, const std::string& key) {
  Record record;
  if (!tables.get(key, record)) return std::nullopt;
  return record;
}

}  // namespace

std::optional<SessionRecord> ShardState::session(std::string_view client_id) const {
  return record_at<SessionRecord>(core_->tables, core_->key(KeyKind::kSession, client_id));
}

std::optional<SubscriptionRecord> ShardState::subscription(std::string_view client_id,
                                                           std::string_view filter) const {
  return record_at<SubscriptionRecord>(core_->tables,
                                       core_->key(KeyKind::kSubscription, client_id).text(filter));
}

std::vector<std::string> ShardState::subscriptions(std::string_view client_id) const {
  std::vector<std::string> filters;
  const Key prefix = core_->key(KeyKind::kSubscription, client_id);
  for (const std::string& key : core_->tables.keys_with_prefix(prefix)) {
    filters.push_back(key.substr(prefix.bytes().size()));
  }
  return filters;
}

std::vector<uint16_t> ShardState::received(std::string_view client_id) const {
  std::vector<uint16_t> identifiers;
  for (const std::string& key :
       core_->tables.keys_with_prefix(core_->key(KeyKind::kReceived, client_id))) {
    KeyParts parts(key);
    parts.name();
    identifiers.push_back(static_cast<uint16_t>(parts.number()));
  }
  return identifiers;
}

std::vector<Delivery> ShardState::deliveries(std::string_view client_id, uint64_t from,
                                             const PortionLimits& limits) const {
  std::vector<Delivery> out;
  std::optional<OpenSession> session = core_->open(client_id);
  if (!session) return out;
  PortionBudget budget(limits);
  Queue queue = core_->queue_of(*session);
  const QueueState& state = session->record.queue;
  const QueueEntry* entry = queue.next(from);
  for (; entry && entry->number < state.window_end; entry = queue.next(out.back().number + 1)) {
    if (!budget.take(entry->size)) break;
    Delivery& delivery = out.emplace_back();
    delivery.number = entry->number;
    delivery.qos = entry->qos;
    delivery.retain = entry->retain;
    delivery.released = entry->released;
    delivery.dup = entry->number < session->record.resend_end;
    delivery.identifiers = entry->identifiers;
    if (entry->released) continue;
    delivery.body = entry->body;
    delivery.message = core_->read_body(entry->body);
  }
  return out;
}

bool ShardState::has_received(std::string_view client_id, uint16_t packet_id) const {
  return core_->tables.has(core_->key(KeyKind::kReceived, client_id).number(packet_id));
}

bool ShardState::is_in_outbox(uint64_t number) const {
  return core_->tables.has(core_->shard_key(KeyKind::kOutbox).number(number));
}

std::vector<OutboxMessage> ShardState::outbox(uint64_t after, const PortionLimits& limits) const {
  std::vector<OutboxMessage> out;
  PortionBudget budget(limits);
  const Key prefix = core_->shard_key(KeyKind::kOutbox);
  core_->tables.values().scan(
      Key(prefix).number(after + 1).bytes(), end_of_prefix(prefix.bytes()),
      [&](std::string_view key, std::string_view value) {
        OutboxMessage item{KeyParts(key).number(), {}, {}};
        SHOAL_ASSERT(read_record(value, item.record) || !core_->tables.values().is_healthy());
        if (item.record.body != 0) item.message = core_->read_body(item.record.body);
        if (item.record.expires_at != 0) item.message->expires_at = item.record.expires_at;
        if (!budget.take(item.message ? item.message->size() : 0)) return false;
        out.push_back(std::move(item));
        return true;
      });
  return out;
}

uint64_t ShardState::source_mark(NodeId node, WorkerIndex worker, uint64_t incarnation) const {
  const auto mark = record_at<SourceMark>(
      core_->tables, core_->shard_key(KeyKind::kSourceMark).number(node.value).byte(worker));
  return mark && mark->incarnation == incarnation ? mark->number : 0;
}

void ShardState::for_each_session(const EachSession& each) const {
  core_->for_each_slot([&](Slot slot) {
    bool goes_on = true;
    core_->tables.scan_prefix(Key(slot, KeyKind::kSession),
                              [&](std::string_view key, std::string_view value) {
                                SessionRecord record;
                                if (!read_record(value, record)) return true;
                                goes_on = each(KeyParts(key).name(), record);
                                return goes_on;
                              });
    return goes_on;
  });
}

std::vector<AttachedSession> ShardState::attached(NodeId node, uint64_t before) const {
  std::vector<AttachedSession> out;
  const Key prefix = core_->shard_key(KeyKind::kAttached).number(node.value);
  std::vector<std::string> ids;
  core_->tables.values().scan(prefix.bytes(), Key(prefix).number(before).bytes(),
                              [&](std::string_view key, std::string_view) {
                                KeyParts parts(key);
                                parts.number();
                                parts.number();
                                ids.emplace_back(parts.rest());
                                return true;
                              });
  for (const std::string& id : ids) out.push_back({id, core_->open(id)->record.epoch});
  return out;
}

std::vector<OpenReplay> ShardState::replays() const {
  std::vector<OpenReplay> out;
  for (const auto& [client_id, filter] : core_->open_replays) out.push_back({client_id, filter});
  return out;
}

std::optional<ReplayRecord> ShardState::replay(std::string_view client_id,
                                               std::string_view filter) const {
  return record_at<ReplayRecord>(core_->tables,
                                 core_->key(KeyKind::kReplay, client_id).text(filter));
}

std::vector<std::string> ShardState::groups() const {
  return {core_->groups.begin(), core_->groups.end()};
}

std::optional<GroupRecord> ShardState::group(std::string_view group) const {
  return record_at<GroupRecord>(core_->tables, core_->key(KeyKind::kGroup, group));
}

std::optional<MemberRecord> ShardState::member(std::string_view group,
                                               std::string_view client_id) const {
  return record_at<MemberRecord>(core_->tables,
                                 core_->key(KeyKind::kGroupMember, group).name(client_id));
}

std::vector<Effects::RouteChange> ShardState::routes() const {
  std::vector<Effects::RouteChange> out;
  for (const auto& [filter, subscriptions] : core_->wanted) out.push_back({filter, 1});
  for (const std::string& group : core_->groups) {
    const auto record = core_->tables.need<GroupRecord>(core_->key(KeyKind::kGroup, group));
    out.push_back({group, record.online, record.members - record.online});
  }
  return out;
}

}  // namespace shoal::shard
