// What a ShardState is made of. Only the .cc files of this folder include this.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include "cluster/shard/effects.h"
#include "cluster/shard/entry.h"
#include "cluster/shard/queue.h"
#include "cluster/shard/records.h"
#include "cluster/shard/shard_state.h"
#include "cluster/shard/tables.h"
#include "node/rules/router.h"

namespace shoal::shard {

// The session behind a session index of the router.
struct QueueOwner {
  std::string client_id;
  uint64_t hash = 0;  // of it
  uint32_t subscriptions = 0;
};

enum class TimerKind : uint8_t { kSession = 1 };

// A session while an op works on it.
struct OpenSession {
  std::string client_id;
  SessionRecord record;
};

// A message that is about to be stored.
struct NewBody {
  BodyId id = 0;
  Body body;
};

struct ShardState::Core {
  Core(const Options& given, KeyValues& values);

  // ---- apply.cc
  Applied apply(uint64_t index, std::string_view bytes, Effects& out);
  void apply_op(const EntryOp& op);
  Effects::Outcome apply_numbered(const EntryOp& op);
  Effects::Outcome run(const Op& op);
  Effects::Outcome skip(SkipReason reason);
  bool is_too_new(const Entry& entry) const;
  void fire_timers();
  void fire_timer(std::string_view key);

  // One for each kind; outcomes of ops without a source are only counted.
  Effects::Outcome on(const ConnectOp& op);
  Effects::Outcome on(const DetachOp& op);
  Effects::Outcome on(const SubscribeOp& op);
  Effects::Outcome on(const UnsubscribeOp& op);
  Effects::Outcome on(const PublishOp& op);
  Effects::Outcome on(const AckOp& op);
  Effects::Outcome on(const ReceiveOp& op);
  Effects::Outcome on(const ReleaseOp& op);
  Effects::Outcome on(const OutboxInOp& op);
  Effects::Outcome on(const OutboxDoneOp& op);
  Effects::Outcome on(const OutboxPickedOp& op);
  Effects::Outcome on(const ReplayPortionOp& op);
  Effects::Outcome on(const TakeOp& op);
  Effects::Outcome on(const TickOp& op);
  Effects::Outcome on(const LimitsOp& op);
  Effects::Outcome on(const FeatureOp& op);
  Effects::Outcome on(const ForgetNodeOp& op);
  Effects::Outcome on(const PieceOp& op);
  Effects::Outcome on(const DropUploadsOp& op);
  Effects::Outcome on(const RecoveredOp& op);
  Effects::Outcome on(const std::monostate& op);

  // ---- load.cc
  void load();
  void load_slot(Slot slot);
  void for_each_slot(const std::function<bool(Slot)>& each) const;

  // ---- sessions.cc
  std::optional<OpenSession> open(std::string_view client_id) const;
  void save(const OpenSession& session);
  // The session of this epoch; otherwise `outcome` says why not.
  std::optional<OpenSession> open(std::string_view client_id, OpPlace epoch,
                                  Effects::Outcome& outcome);
  bool is_over(const SessionRecord& session) const;
  void evict(OpenSession& session, bool resumes);
  void attach(OpenSession& session, const ConnectOp& op);
  void detach(OpenSession& session);
  void leave_node(OpenSession& session);
  void end_session(OpenSession& session);
  void end_queue(OpenSession& session);
  void fire_will(OpenSession& session);
  void drop_will(OpenSession& session);
  void set_timer(OpenSession& session);
  void on_session_timer(std::string_view client_id);

  // ---- subscribing.cc
  void subscribe(OpenSession& session, const FilterSpec& spec);
  bool unsubscribe(OpenSession& session, std::string_view filter);
  void drop_subscriptions(OpenSession& session);
  void assert_membership(const OpenSession& session, std::string_view group,
                         const SubscriptionRecord* record);
  void remove_subscription(OpenSession& session, std::string_view filter,
                           const SubscriptionRecord& record);
  void assert_memberships(const OpenSession& session);
  void begin_replay(OpenSession& session, const FilterSpec& spec);
  void end_replay(OpenSession& session, std::string_view filter);
  SessionIndex owner_of(std::string_view client_id);
  void route(SessionIndex owner, std::string_view filter, const SubscriptionRecord& record);
  void unroute(SessionIndex owner, std::string_view filter, Qos qos);
  void want(std::string_view filter, bool wanted);

  // ---- publishing.cc
  // For that shared subscription; without one for the plain ones.
  void publish(const MessageSpec& message, std::string_view group);
  // Queues it for all who want it, and gives the references that this took.
  uint32_t queue_for_all(BodyId id, const Body& body);
  bool queue_live(std::string_view client_id, QueueEntry entry, const Body& body);
  void append(OpenSession& session, Queue& queue, QueueEntry entry);
  bool queue_for_group(std::string_view group, QueueEntry entry);
  bool is_expired(uint64_t expires_at) const { return expires_at != 0 && expires_at <= meta.stamp; }
  static QueueEntry entry_of(BodyId id, const Body& body, Qos qos, bool retain);
  // Makes room for one more; false when it is to be dropped instead.
  bool make_room(Queue& queue, std::string_view owner, std::vector<uint64_t>* drops, uint64_t size);
  bool is_over_limit(const QueueState& state, uint64_t more) const;
  void drop_unsent(Queue& queue, std::string_view owner, std::vector<uint64_t>* drops,
                   DropReason reason);
  void note_drop(std::string_view owner, std::vector<uint64_t>* drops, DropReason reason);
  // Remembers it; false: the group has it.
  bool take_pick(const PickedItem& item, std::string_view group);

  // ---- window.cc
  Queue queue_of(OpenSession& session);
  // `fresh`: a number that is known not to be expired.
  void extend_window(OpenSession& session, Queue& queue, uint64_t fresh = UINT64_MAX);
  bool acknowledge(Queue& queue, uint64_t number, AckKind kind);
  void finish(Queue& queue, uint64_t number);

  // ---- bodies.cc
  Body body_of(const MessageSpec& message) const;
  Body read_body(BodyId id) const;
  // With the pieces that came before it, which are there. It has to be stored, or let go.
  NewBody begin_body(const MessageSpec& message);
  BodyId store_body(const NewBody& body, uint32_t references = 1);
  void let_go(const NewBody& body);
  void drop_reference(BodyId id);
  void drop_reference(const QueueEntry& entry);
  void drop_body(BodyId id);

  // ---- uploads.cc
  Key upload_key(const Upload& upload) const;
  bool is_answered(const Upload& upload) const;
  void add_piece(const PieceOp& op, UploadRecord& record);
  void tell_uploaded(const Upload& upload, uint64_t bytes, bool is_gap);
  bool is_usable(const MessageSpec& message) const;
  static const MessageSpec* numbered_message(const Op& op);  // of an op that has a source; or null
  bool lacks_pieces(const MessageSpec* message) const;
  void drop_unused(const Op& op);
  void drop_upload(const std::string& key);
  void drop_uploads(const std::string& begin, const std::string& end);
  void drop_uploads_of_shard(uint32_t shard, uint64_t up_to);
  void drop_pieces(BodyId id, const Pieces& pieces);

  // ---- outbox.cc
  void put_in_outbox(const OutboxRecord& record);
  bool on_item(const OutboxInOp& op);
  void on_delivery(const OutboxItem& item);

  // ---- groups.cc
  void on_membership(const OutboxItem& item);
  void on_return(const OutboxItem& item);
  void end_group(std::string_view group, GroupRecord& record);
  // False: nobody gets it, and the reference is not used.
  bool give_to_others(std::string_view group, Qos qos, BodyId body);
  uint32_t take(Queue& queue, const TakeOp& op, const MemberRecord& member, uint32_t count);
  GroupRecord begin_group(std::string_view group);
  void put_group(std::string_view group, const GroupRecord& record);
  Queue group_queue(std::string_view group, GroupRecord& record, bool returned);

  // ---- timers.cc, and where things stand
  Slot slot(std::string_view name) const { return slot_of(name, options.cluster_seed); }
  Key key(KeyKind kind, std::string_view name) const { return Key(slot(name), kind).name(name); }
  Key shard_key(KeyKind kind) const { return Key(kShardSlot, kind); }
  Key timer_key(uint64_t due, TimerKind kind, std::string_view name) const;
  void put_timer(uint64_t due, TimerKind kind, std::string_view name);
  void remove_timer(uint64_t due, TimerKind kind, std::string_view name);
  void find_next_due();

  const Options options;
  Tables tables;
  MetaRecord meta;
  bool too_new = false;

  // Of the op that is worked on.
  Effects* effects = nullptr;
  OpPlace place = 0;
  uint64_t source_number = 0;  // 0: it has no source

  // Made from the keys.
  Router router;
  std::vector<QueueOwner> owners;  // by SessionIndex; a free one has no client id
  std::vector<SessionIndex> free_owners;
  absl::btree_map<std::string, SessionIndex, std::less<>> sessions_routed;
  absl::btree_set<std::string> groups;                         // shared subscriptions
  absl::btree_map<std::string, uint32_t, std::less<>> wanted;  // filter: subscriptions at QoS > 0
  std::set<std::pair<std::string, std::string>> open_replays;  // client id, filter
  uint64_t next_due = UINT64_MAX;
  bool next_due_known = true;
};

}  // namespace shoal::shard
