// The inside of a Broker. One class, since MQTT's rules need one state; its functions stand in files
// of one subject each, in the order in which they are declared here.
//
// What would re-enter (a ticket that completes while a message is being handed out) is put into a
// list and done by settle() at the end of each event.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "node/broker/acceptance_book.h"
#include "node/broker/broker.h"
#include "node/broker/chunk_pool.h"
#include "node/broker/connection.h"
#include "node/broker/dismissal.h"
#include "node/broker/durable.h"
#include "node/broker/header_cache.h"
#include "node/broker/lane.h"
#include "node/broker/pending_suback.h"
#include "node/broker/publication.h"
#include "node/broker/session.h"
#include "node/broker/session_lookup.h"
#include "node/broker/slot_table.h"
#include "node/broker/tickets.h"
#include "node/codec/decode.h"
#include "node/codec/encode.h"
#include "node/rules/forward_batch.h"
#include "node/rules/router.h"
#include "node/rules/timer_wheel.h"
#include "shoal/random.h"

namespace shoal {

enum class TimerKind : uint8_t { kConnection, kSession };
struct TimerData {
  uint32_t slot = 0;
  uint32_t generation = 0;
  TimerKind kind = TimerKind::kConnection;
};

// What a client's DISCONNECT says of what it leaves.
struct Farewell {
  bool discards_will = false;  // 0x00 [MQTT5-3.14.4-3] [MQTT311-3.14.4-3]
  std::optional<uint32_t> expiry_s;
};

struct MovedClient;

class Core {
 public:
  Core(BrokerConfig config, uint64_t seed);
  ~Core();

  // core.cc: events
  ConnId on_accept(Arrival arrival, Now now);
  void on_bytes(ConnId conn, std::span<const uint8_t> bytes, Now now);
  void on_closed(ConnId conn, Now now);
  void on_written(ConnId conn, Now now);
  void on_credentials(ConnId conn, const CredentialAnswer& answer, Now now);
  void on_mail(ToWorker&& mail, Now now);
  void on_tick(Now now);
  void on_more(Now now);
  Output& output(ConnId conn);
  Effects& end_turn(Now now);
  void shut_down(Now now);
  bool kick(std::string_view client_id, Now now);
  void publish_system(std::string_view topic, std::string_view payload, Now now);
  std::unique_ptr<MovedClient> move_out(ConnId conn, WorkerIndex to, Now now);
  ConnId move_in(std::unique_ptr<MovedClient> moved, Now now);
  void offer_publishers(WorkerIndex to, uint32_t most);
  const BrokerCounters& counters();
  void for_each_session(const std::function<void(const SessionInfo&)>& visit);
  void for_each_subscription(std::string_view client_id, const Broker::SubscriptionVisit& visit);
  void check_invariants();

 private:
  // reading.cc: bytes to packets
  void read(Connection& c, std::span<const uint8_t> bytes);
  bool finish_unread(Connection& c, std::span<const uint8_t>& bytes);
  size_t read_frames(Connection& c, std::span<const uint8_t> bytes);
  bool handle_unread_frame(Connection& c, const Frame& frame);
  FrameStatus frame_of(const Connection& c, std::span<const uint8_t> bytes, Frame& frame) const;
  bool keep_unread(Connection& c, std::span<const uint8_t> bytes, size_t whole);
  void on_frame(Connection& c, const Frame& frame, SharedBytes owner);
  void on_connected_frame(Connection& c, const Frame& frame, SharedBytes owner);
  bool may_read(const Connection& c) const { return c.open() && c.paused == 0; }
  void refuse_frame(Connection& c, FrameStatus status, std::span<const uint8_t> beginning);
  ByteBudget& budget_of(const Connection& c) {
    return c.phase == Phase::kConnected ? budget_ : opening_budget_;
  }

  // opening.cc: CONNECT to CONNACK
  void on_connect(Connection& c, const Frame& frame);
  std::optional<ReasonCode> check_connect(const Connection& c, const Connect& in) const;
  void assign_client_id(Opening& opening);
  void authenticate(Connection& c, const Connect& in);
  void on_authenticated(Connection& c, const CredentialAnswer& answer);
  void on_claim_answer(const ClaimAnswer& answer);
  void withdraw(Connection& c);
  void admit(Connection& c, bool is_nothing_stored);
  void refuse_user(Connection& c);
  void attach(Connection& c, Session& s, bool session_present);
  uint32_t session_expiry_of(const Connect& in) const;
  uint16_t window_of(const Connect& in) const;
  void take_parameters(Connection& c, const Connect& in);
  void send_connack(Connection& c, const Connect& in, bool session_present);
  void refuse_connect(Connection& c, ReasonCode reason, std::string_view detail = {});
  Connect connect_of(const Opening& opening) const;

  // attaching.cc: durable sessions, from the store's answer on and until they leave it
  void ask_store(Connection& c);
  void attach_unasked(Connection& c);
  std::optional<SessionWill> will_of(const Opening& opening, const Connect& in, const Session& s);
  void on_session_attached(SessionAttached& answer);
  void resume_stored(Connection& c, Session& s, SessionAttached& answer);
  void flush_connacks();
  void withdraw_from_store(Connection& c);
  void detach(Session& s, const Farewell& farewell);
  void on_session_evict(const SessionEvict& evict);

  // authentication.cc: AUTH [MQTT5-4.12]
  CredentialCheck check_of(const Connection& c) const;
  void begin_exchange(Connection& c, std::string_view method, std::span<const uint8_t> data);
  void step_exchange(Connection& c, std::span<const uint8_t> data);
  void on_auth(Connection& c, const Frame& frame);
  void send_auth(Connection& c, ReasonCode reason, std::span<const uint8_t> data);
  void set_rights(Session& s, const CredentialAnswer& answer);

  // ending.cc: connections and sessions end
  void close(Connection& c, ReasonCode reason, std::string_view detail = {});
  void close_silently(Connection& c, bool after_flush);
  void send_disconnect(Connection& c, ReasonCode reason, std::string_view detail);
  void protocol_error(Connection& c, ReasonCode reason, std::string_view detail);
  void protocol_error(Connection& c, const DecodeStatus& status);
  void on_disconnect(Connection& c, const Frame& frame);
  void leave_session(Connection& c, const Farewell& farewell = {});
  void drop_waiting(Connection& c);
  void end_session(Session& s);
  void drop_deliveries(Session& s);
  void check_quiet(Session& s);
  void on_quiet(Session& s);
  void destroy_session(Session& s);
  void on_evict(const Evict& evict);
  void on_all_close();
  Instant on_connection_due(Connection& c);
  Instant keep_alive_end(const Connection& c) const;

  // publishing.cc: PUBLISH from a client
  void on_publish(Connection& c, const Frame& frame, SharedBytes owner);
  bool resolve_alias(Connection& c, Publish& in);
  std::optional<ReasonCode> check_publish(Connection& c, const Publish& in);
  bool is_payload_misdeclared(const ApplicationProperties& properties, ByteView payload) const;
  void refuse_publish(Connection& c, const Publish& in, ReasonCode reason);
  bool is_repeat(Connection& c, const Publish& in);
  bool refuse_identifier(Connection& c, const Publish& in);
  MessageView view_of(const Connection& c, const Publish& in);
  const Parked* find_parked(const Connection& c, uint16_t packet_id) const;
  void park(Connection& c, Publication& p);
  void take_from_parking(const Parked& parked);
  void unpark(Connection& c);
  void unpark();
  void work_on(Connection& c, Publication& p);
  void acknowledge(Connection& c, Qos qos, uint16_t packet_id);
  void on_pubrel(Connection& c, const Frame& frame);
  bool has_lease() const { return now_.mono <= ack_until_; }

  void hold_large(Publication& p);
  void refuse_over_quota(Connection& c, Qos qos, uint16_t packet_id);

  // storing.cc: what is submitted to the store, and its answers
  void on_store_mail(FromStore& mail);
  void on_session_done(const SessionDone& done);
  void finish_wait(StoreWait& wait, const SessionDone& done);
  bool is_too_large_to_keep(const Publication& p) const;
  void publish_to_shards(Publication& p, uint64_t shards, std::string_view shared);
  void receive_stored(Publication& p);
  void submit_receives(Session& s);
  void drop_receives(Durable& durable);
  void on_retain_done(uint64_t number);
  void release_stored(Connection& c, uint16_t packet_id);
  template <class Mail>
  uint64_t submit(Mail mail) {
    mail.number = store_numbers_.next();
    const uint64_t number = mail.number;
    current_.to_hub.emplace_back(ToStore(std::move(mail)));
    return number;
  }

  // routing.cc: one message to all that want it
  void route(Publication& p);
  void deliver(Publication& p, const Match& match, const LocalTarget& target);
  void forward(Publication& p, const RemoteTarget& target);
  bool is_large(const Publication& p) const {
    return p.view.payload.size() >= config_.limits.large_payload;
  }
  uint64_t write_retained(Publication& p);
  void finish_routing(Publication& p);
  Ticket* ticket_of(Publication& p);
  void progress(Ticket* ticket);
  void complete(Ticket* ticket);
  void drop_ticket(Ticket* ticket);
  void expire_tickets();

  // sharing.cc: shared subscriptions
  void route_shared(Publication& p, SharedGroup& group);
  bool deliver_shared(Publication& p, SharedGroup& group, std::string_view filter);
  void progress_member(Ticket* ticket);
  void give_up_delivery(Delivery& delivery);
  void pick_elsewhere(Delivery& delivery);
  void repick(Repick pick);
  bool deliver_again(Publication& p, Repick& pick);
  void watch_member(Session& s);
  void check_members();
  void check_member(Session& s, MemberWatch& watch);
  bool has_caught_up(const Session& s) const;
  void set_slow(Session& s, bool slow);
  void relieve(Session& s);
  void hand_on_sent(Session& s);
  bool may_go_elsewhere(const Delivery& delivery);

  // moving.cc: connections to other workers
  static std::optional<WorkerIndex> sole_target(const Match& match);
  void note_way(const Publication& p, const Match& match);
  void list_mover(Connection& c);
  void offer(Connection& c);
  void list_wishes();
  bool is_publisher_only(const Session& s) const;
  bool may_move(const Connection& c) const;
  bool evict_moved(const std::string& client_id, const Stamp& claim,
                   const std::optional<std::string>& user);
  void on_claim_moved(const ClaimMoved& known);

  // forwarding.cc: to and from other places
  Lane& lane_of(NodeSlot node);
  void send_to_place(Publication& p, Place place, std::unique_ptr<SharedAttempt> attempt);
  void expect(Publication& p, Lane& lane, uint64_t number, uint64_t workers,
              std::unique_ptr<SharedAttempt> attempt);
  void on_forward_in(const ForwardIn& in);
  void on_record(const ForwardIn& in, ForwardRecord& record);
  void on_accept_in(const AcceptIn& in);
  void accept_one(Lane& lane, Expected& expected, Place from, Acceptance acceptance);
  void progress(const Expected& expected);
  void on_peer_up(NodeSlot node);
  void on_peer_down(NodeSlot node);
  uint64_t drop_unsent(Lane& lane);
  void on_congested(const PeerCongested& mail);
  void flush_lanes();
  void flush_acceptances();

  // delivering.cc: to one session
  void send_unreliable(Session& s, Publication& p, Outgoing how);
  void send_reliable(Session& s, Publication& p, Outgoing how,
                     std::unique_ptr<DeliveryExtra> extra);
  bool can_send(Session& s);
  void start(Session& s, Delivery delivery, Publication& p, const Outgoing& how);
  void enqueue(Session& s, Publication& p, Delivery delivery);
  bool is_full(const Session& s) const;
  void count_queued(Session& s, const Delivery& delivery, bool in);
  void withhold(Session& s, Publication& p);
  void release_withheld(Session& s);
  void pump(Session& s);
  void send_queued(Session& s);
  void on_puback(Connection& c, const Frame& frame);
  void on_pubrec(Connection& c, const Frame& frame);
  void on_pubcomp(Connection& c, const Frame& frame);
  void finish_delivery(Session& s, uint32_t position);
  void member_has_it(Delivery& delivery);
  void send_pubrel(Connection& c, uint16_t packet_id, ReasonCode reason, bool again = false);
  void check_slow();
  bool keeps_copies(const Connection& c) const;
  void watch_for_answer(Session& s);
  Instant retry(Session& s);
  void resend(Session& s, uint32_t position);

  // stored_delivering.cc: what the store has for a session
  void on_session_messages(SessionMessages& mail);
  void send_stored(Session& s);
  bool has_room_for(const Session& s, const SessionMessage& message);
  void send_stored_one(Session& s, SessionMessage message);
  bool write_stored(Session& s, const SessionMessage& message);
  void acknowledge_stored(Session& s, uint64_t message, SessionAckKind kind);
  void on_stored_puback(Session& s, uint16_t packet_id);
  void on_stored_pubrec(Connection& c, const Ack& in);
  void on_stored_pubcomp(Session& s, uint16_t packet_id);
  void release_deliveries(Connection& c, const std::vector<uint64_t>& messages);
  Instant retry_stored(Session& s);
  void resend_stored(Session& s, StoredDelivery& delivery);
  void list_news(Session& s);
  void tell_news(Session& s);
  void flush_news();

  // draining.cc: sending clients away
  void on_drain(const Drain& drain);
  void drain_some();
  void dismiss(Connection& c);
  bool owes(const Session& s, Dismissal& dismissal) const;
  void end_dismissals();
  ReasonCode reason_to_go() const;

  // writing.cc: PUBLISH packets
  bool write_publish(Connection& c, Publication& p, const Outgoing& how);
  bool write_special(Connection& c, Publication& p, const Outgoing& how);
  uint8_t* append_packet(Connection& c, Publication& p, size_t header_size);
  void finish_packet(Connection& c, Publication& p, uint8_t* out, size_t header_size, Qos qos);

  // subscribing.cc
  void on_subscribe(Connection& c, const Frame& frame);
  ReasonCode subscribe(Connection& c, const SubscriptionRequest& request, uint32_t identifier,
                       PendingSubAck& pending);
  void on_unsubscribe(Connection& c, const Frame& frame);
  void flush_subacks();
  void send_suback(Connection& c, const PendingSubAck& pending);
  void forget_replays_to_come(const Connection& c, std::string_view filter);
  void announce_routes();
  void on_route_update(RouteUpdate&& update);

  size_t subscription_count(const Session& s) const;
  bool has_subscription(const Session& s, std::string_view filter) const;

  // stored_subscribing.cc: the same for a durable session
  bool subscribe_stored(Session& s, std::string_view filter, bool is_shared,
                        const SubscriptionOptions& options, PendingSubAck& pending);
  void ask_store_for(Session& s, PendingSubAck pending);
  void on_stored_subscribed(Session& s, const SessionDone& done);
  void finish_subscribe(Session& s, PendingSubAck pending);
  void refuse_change(Session& s, const StoredChange& change);
  bool unsubscribe_stored(Session& s, std::string_view filter);
  void send_unsuback(Connection& c, uint16_t packet_id, const std::vector<ReasonCode>& reasons);

  // retained.cc
  void start_replays(Session& s, std::vector<Replay>& replays);
  void ask_for_portion(Session& s, Replay& replay);
  void on_portion(RetainedPortion&& portion);
  void pump_replays(Session& s);
  bool replay_one(Session& s, Replay& replay);
  void end_replay(Session& s);
  void cancel_replays(Session& s);
  void cancel_replays_of(Session& s, std::string_view filter);

  // invariants.cc
  void check_connection(Connection& c);
  void check_session(Session& s);
  void check_stored(Session& s);
  void check_tickets();

  // core.cc: common
  void begin(Now now) { now_ = now; }
  void settle();
  void touch(Connection& c);
  // A packet of `size` bytes is in its output.
  void count_out(Connection& c, size_t size) {
    ++counters_.packets_out;
    counters_.bytes_out += size;
    touch(c);
  }
  void pause(Connection& c, PauseReason reason);
  void unpause(Connection& c, PauseReason reason);
  void list_pause(Connection& c);
  void report_pauses();
  void waits_more(Connection& c);
  void waits_less(Connection& c);
  Connection* find(ConnId id) { return connections_.find(id.slot, id.generation); }
  Session& session_at(SessionIndex index) { return sessions_[index]; }
  Session* find_session(std::string_view client_id);
  Session& create_session(std::string client_id);
  void set_connection_timer(Connection& c, Instant when);
  void drop_extra_if_idle(Connection& c);
  void drop_extra_if_idle(Session& s);
  void drop(DropReason reason) { ++counters_.dropped[static_cast<size_t>(reason)]; }
  void log(LogEvent::Kind kind, const Connection& c, ReasonCode reason, std::string_view detail);
  uint32_t tick_of(Instant when) const { return static_cast<uint32_t>(when.ns / Broker::kTick.ns); }
  // Returns the packet's first byte.
  template <class Packet>
  uint8_t* write(Connection& c, const Packet& packet);
  template <class Packet>
  bool complete_refusal(const Connection& c, Packet& packet, ReasonCode reason,
                        std::string_view detail) const;
  template <class Packet>
  void explain(const Connection& c, Packet& packet, std::string_view why);

  const BrokerConfig config_;
  const size_t packet_size_max_;
  ByteBudget own_budget_;
  ByteBudget& budget_;
  ByteBudget own_opening_budget_;
  ByteBudget& opening_budget_;
  Random random_;
  Now now_;

  ChunkPool pool_;
  Router router_;
  TimerWheel<TimerData> timers_{Instant{}};
  SlotTable<Connection> connections_;
  SlotTable<Session> sessions_;
  absl::flat_hash_set<Session*, HashClientId, EqualClientId> sessions_by_id_;

  TicketTable tickets_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by NodeSlot
  AcceptanceBook acceptances_;
  std::vector<ConnId> parked_;                             // connections with parked publishes
  std::vector<std::pair<uint32_t, uint32_t>> over_limit_;  // sessions: slot, generation
  std::vector<MemberWatch> watched_;
  Instant members_due_;  // for check_members()

  Instant ack_until_{INT64_MIN};
  uint64_t route_batch_ = 0;  // number of the last one sent
  uint64_t routes_synced_ = 0;
  std::deque<PendingSubAck> subacks_;
  std::deque<PendingConnAck> connacks_;
  StoreNumbers store_numbers_;
  std::vector<std::pair<uint32_t, uint32_t>> news_;  // sessions with something to tell the store
  uint64_t retain_number_ = 0;
  absl::flat_hash_map<uint64_t, Ticket*> retain_waits_;
  uint64_t query_number_ = 0;
  absl::flat_hash_map<uint64_t, std::pair<uint32_t, uint32_t>> queries_;  // to a session
  std::map<std::string, MessageRef, std::less<>> system_messages_;

  // Clients that went to another worker, of which the hub does not know yet.
  struct Moved {
    Stamp claim;
    WorkerIndex to = 0;
    uint64_t number = 0;
  };
  absl::flat_hash_map<std::string, Moved> moved_;
  uint64_t last_move_ = 0;
  uint64_t closings_ = 0;       // AllCloses
  std::vector<ConnId> movers_;  // who would go
  uint32_t offers_ = 0;         // so many more are to go to
  WorkerIndex offered_to_ = 0;

  double drain_per_second_ = 0;
  double drain_credit_ = 0;  // connections that may be dismissed now
  bool draining_ = false;
  bool drains_for_good_ = false;
  std::vector<Dismissal> dismissals_;
  bool shutting_down_ = false;

  // Work put off to settle().
  std::vector<std::pair<uint32_t, uint32_t>> quiet_;  // sessions
  std::vector<ConnId> resume_;
  std::vector<Repick> repicks_;
  std::vector<ConnId> pause_changes_;
  std::vector<ConnId> turn_used_up_;
  uint32_t turn_deliveries_ = 0;

  std::array<HeaderCache, 2> headers_;
  std::vector<uint8_t> properties_scratch_;
  std::vector<ForwardBatchRef> batches_scratch_;
  Effects current_;
  Effects carried_;
  BrokerCounters counters_;
};

}  // namespace shoal

#include "node/broker/core_writing.h"  // the bodies of its templates
