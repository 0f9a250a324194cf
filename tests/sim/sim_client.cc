#include "tests/sim/sim_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace shoal::sim {
namespace {

constexpr Duration kConnectPatience = Duration::seconds(4);
constexpr Duration kAckPatience = Duration::seconds(8);
constexpr Duration kPingEvery = Duration::seconds(1);
constexpr Duration kPingPatience = Duration::seconds(4);
constexpr Duration kReadTick = Duration::millis(50);
constexpr size_t kSocketBytes = 8 * 1024;  // of one that does not read at once

// Sizes differ from message to message, small ones mostly; some are large payloads where the limits
// are small.
size_t filler_of(const MessageKey& key) {
  if (key.number % 11 == 5) return 5000;
  return key.number % 37 == 0 ? 2000 : static_cast<size_t>(key.number % 23);
}

}  // namespace

std::string text_of(const MessageKey& key) {
  return std::to_string(key.publisher) + ":" + std::to_string(key.number);
}

std::string at_qos(Qos qos) { return " at QoS " + std::to_string(static_cast<int>(qos)); }

std::string payload_of(const MessageKey& key) {
  std::string payload = std::to_string(key.publisher) + ":" + std::to_string(key.number) + ":";
  payload.append(filler_of(key), '.');
  return payload;
}

std::optional<MessageKey> key_of(ByteView payload) {
  const char* const begin = reinterpret_cast<const char*>(payload.data());
  const char* const end = begin + payload.size();
  MessageKey key;
  const auto publisher = std::from_chars(begin, end, key.publisher);
  if (publisher.ec != std::errc() || publisher.ptr == end || *publisher.ptr != ':') return {};
  const auto number = std::from_chars(publisher.ptr + 1, end, key.number);
  if (number.ec != std::errc()) return {};
  if (payload_of(key) != std::string_view(begin, payload.size())) return {};
  return key;
}

std::string will_topic_of(const std::string& client_id) { return "will/" + client_id; }

std::string retained_topic_of(int client) { return "r/" + std::to_string(client); }

SimClient::SimClient(World& world, History& history, int number, ClientPlan plan, Dial dial)
    : world_(world),
      history_(history),
      number_(number),
      plan_(std::move(plan)),
      dial_(std::move(dial)) {}

void SimClient::start() {
  dial();
  if (!plan_.topics.empty()) schedule_publish();
  if (plan_.churns_subscriptions) schedule_churn();
  if (plan_.says_goodbye) schedule_goodbye();
  if (plan_.stays_away) schedule_leaving();
  if (plan_.stalls) schedule_stall();
  is_slow_ = plan_.reads_per_tick != 0;
  if (is_slow_) schedule_reading();
}

void SimClient::stop_publishing() {
  publishing_ = is_slow_ = stalled_ = false;
  if (state_ != State::kClosed) read(unread_.size());
}

bool SimClient::subscribed() const {
  if (chain_ < 0 || !subscribe_open_.empty()) return false;
  const Chain& chain = history_.chain(chain_);
  size_t confirmed = 0;
  for (const Subscription& s : chain.subscriptions) confirmed += s.suback && !s.ended;
  return confirmed >= plan_.subscriptions.size();
}

// ---- connecting ---------------------------------------------------------------------------------

void SimClient::dial() {
  if (finished_ || state_ != State::kClosed) return;
  ++connection_;
  port_ = dial_((static_cast<uint64_t>(number_) << 32) | connection_);
  if (port_ == nullptr) return retry_later();
  state_ = State::kConnecting;
  connect_sent_ = last_heard_ = world_.now();
  ping_open_ = false;
  received_.clear();
  unread_.clear();
  Connect connect;
  connect.version = plan_.version;
  connect.client_id = plan_.client_id;
  connect.clean_start = plan_.clean_start;
  connect.keep_alive_s = 60;
  if (plan_.version == ProtocolVersion::kMqtt5 && plan_.session_expiry_s != 0) {
    connect.session_expiry_s = plan_.session_expiry_s;
  }
  if (plan_.version == ProtocolVersion::kMqtt5 && plan_.receive_maximum != 0) {
    connect.receive_maximum = plan_.receive_maximum;
  }
  said_goodbye_ = false;
  std::string will_payload;
  if (plan_.will) add_will(connect, will_payload);
  send(connect);
  schedule_watch(connection_);
}

void SimClient::add_will(Connect& connect, std::string& payload) {
  will_ = MessageKey{number_, next_number_++};
  Published record;
  record.key = *will_;
  record.topic = will_topic_of(plan_.client_id);
  record.qos = plan_.will->qos;
  record.first_sent = world_.now();
  record.client_id = plan_.client_id;
  record.will = true;
  payload = payload_of(*will_);
  history_.add(record);
  Will will;
  will.qos = record.qos;
  will.topic = history_.published(*will_).topic;
  will.payload = {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()};
  if (plan_.version == ProtocolVersion::kMqtt5 && plan_.will->delay_s != 0) {
    will.delay_s = plan_.will->delay_s;
  }
  connect.will = will;
}

void SimClient::retry_later() {
  const Duration pause = world_.between(Duration::millis(50), Duration::millis(700));
  world_.at(std::max(away_until_, world_.now() + pause), [this] { dial(); });
}

void SimClient::drop(const char* why) {
  world_.note(plan_.client_id + " drops its connection: " + why);
  if (port_ != nullptr) port_->close();
  on_closed((static_cast<uint64_t>(number_) << 32) | connection_);
}

// The server closes the connection then, and a client that comes back finds out so.
void SimClient::say_goodbye() {
  if (state_ != State::kConnected) return;
  said_goodbye_ = true;
  send(Disconnect{});
}

void SimClient::schedule_goodbye() {
  world_.after(world_.between(Duration::seconds(2), Duration::seconds(8)), [this] {
    if (finished_ || !publishing_) return;
    say_goodbye();
    schedule_goodbye();
  });
}

void SimClient::schedule_leaving() {
  world_.after(world_.between(Duration::seconds(2), Duration::seconds(8)), [this] {
    if (finished_ || !publishing_) return;
    schedule_leaving();
    if (state_ == State::kClosed) return;
    away_until_ = world_.now() + world_.between(Duration::seconds(1), Duration::seconds(7));
    if (world_.random().one_in(2)) say_goodbye();
    drop("it goes away");
  });
}

// Whatever ended the connection, if it was not a DISCONNECT. One that is delayed may be called off by the
// next connection, so nothing is known of it.
void SimClient::will_is_due() {
  if (!will_ || said_goodbye_ || plan_.will->delay_s != 0) return;
  Published& record = history_.published(*will_);
  if (!record.acked) record.acked = world_.now();
}

void SimClient::vanish() {
  finished_ = true;
  if (state_ != State::kClosed) drop("it vanishes");
}

void SimClient::on_closed(uint64_t connection) {
  if ((connection & UINT32_MAX) != connection_ || state_ == State::kClosed) return;
  if (state_ == State::kConnecting) is_session_in_doubt_ = true;
  if (state_ == State::kConnected) will_is_due();
  state_ = State::kClosed;
  port_.reset();
  subscribe_open_.clear();
  on_subscribed_.clear();
  unsubscribe_open_.clear();
  if (chain_ >= 0) {
    history_.chain(chain_).connected = false;
    if (!history_.chain(chain_).outlives_connection) end_chain();
  }
  if (!finished_) retry_later();
}

void SimClient::end_chain() {
  history_.chain(chain_).alive = false;
  chain_ = -1;
  received_qos2_.clear();
}

void SimClient::schedule_watch(uint64_t connection) {
  world_.after(Duration::millis(500), [this, connection] { watch(connection); });
}

void SimClient::watch(uint64_t connection) {
  if (connection != connection_ || state_ == State::kClosed) return;
  if (stalled_ || !unread_.empty()) return schedule_watch(connection);  // it has not looked yet
  const Instant now = world_.now();
  if (state_ == State::kConnecting && now - connect_sent_ > kConnectPatience) {
    return drop("no CONNACK");
  }
  if (ping_open_ && now - ping_sent_ > kPingPatience) return drop("no PINGRESP");
  for (const auto& [id, message] : outgoing_) {
    if (state_ != State::kConnected) break;
    if (now - message.sent > kAckPatience) return drop("no acknowledgement");
  }
  if (state_ == State::kConnected && !ping_open_ && now - last_heard_ > kPingEvery) {
    ping_open_ = true;
    ping_sent_ = now;
    send(PingReq{});
  }
  schedule_watch(connection);
}

// ---- receiving ----------------------------------------------------------------------------------

void SimClient::on_bytes(uint64_t connection, std::span<const uint8_t> bytes) {
  if ((connection & UINT32_MAX) != connection_ || state_ == State::kClosed) return;
  unread_.insert(unread_.end(), bytes.begin(), bytes.end());
  if (!is_slow_ && !stalled_) read(unread_.size());
}

size_t SimClient::room() const {
  if (!is_slow_ && !stalled_) return SIZE_MAX;
  return kSocketBytes - std::min(kSocketBytes, unread_.size());
}

void SimClient::schedule_reading() {
  world_.after(kReadTick, [this] {
    if (!is_slow_) return;
    if (!stalled_ && state_ != State::kClosed) {
      read(std::min(unread_.size(), plan_.reads_per_tick));
    }
    schedule_reading();
  });
}

void SimClient::schedule_stall() {
  world_.after(world_.between(Duration::seconds(1), Duration::seconds(6)), [this] {
    if (!publishing_ || finished_) return;
    stalled_ = true;
    world_.after(world_.between(Duration::millis(300), Duration::seconds(5)), [this] {
      if (!std::exchange(stalled_, false)) return;
      schedule_stall();
      if (plan_.leaves_unread && state_ != State::kClosed && world_.random().one_in(2)) {
        return drop("it gives up");
      }
      if (state_ != State::kClosed && !is_slow_) read(unread_.size());
      ping_sent_ = last_heard_ = world_.now();
      for (auto& [id, message] : outgoing_) message.sent = world_.now();
    });
  });
}

void SimClient::read(size_t bytes) {
  if (bytes == 0) return;
  const auto end = unread_.begin() + static_cast<std::ptrdiff_t>(bytes);
  received_.insert(received_.end(), unread_.begin(), end);
  unread_.erase(unread_.begin(), end);
  last_heard_ = world_.now();
  size_t used = 0;
  while (state_ != State::kClosed) {
    Frame frame;
    const ByteView rest(received_.data() + used, received_.size() - used);
    const FrameStatus status = next_frame(rest, kPacketSizeMax, frame);
    if (status == FrameStatus::kNeedMore) break;
    if (status != FrameStatus::kComplete) {
      history_.violation("a broken frame came to " + plan_.client_id);
      return drop("broken frame");
    }
    used += frame.size;
    take(decode_packet(frame, plan_.version, Sender::kServer));
  }
  if (state_ != State::kClosed) {
    received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(used));
  }
}

void SimClient::take(const Decoded& packet) {
  if (const auto* bad = std::get_if<Malformed>(&packet)) {
    history_.violation("a malformed packet came to " + plan_.client_id + ": " +
                       std::string(bad->detail));
    return drop("malformed packet");
  }
  const auto* const connack = std::get_if<ConnAck>(&packet);
  if ((state_ == State::kConnecting) != (connack != nullptr) &&
      !std::holds_alternative<Disconnect>(packet)) {
    history_.violation("a packet out of turn came to " + plan_.client_id);
    return drop("packet out of turn");
  }
  if (connack != nullptr) on_connack(*connack);
  if (const auto* publish = std::get_if<Publish>(&packet)) on_publish(*publish);
  if (const auto* ack = std::get_if<Ack>(&packet)) on_ack(*ack);
  if (const auto* suback = std::get_if<SubAck>(&packet)) on_suback(*suback);
  if (const auto* unsuback = std::get_if<UnsubAck>(&packet)) {
    unsubscribe_open_.erase(unsuback->packet_id);
  }
  if (std::holds_alternative<PingResp>(packet)) ping_open_ = false;
  if (const auto* disconnect = std::get_if<Disconnect>(&packet)) on_disconnect(*disconnect);
}

void SimClient::on_connack(const ConnAck& packet) {
  if (packet.reason != ReasonCode::kSuccess) return drop("refused");
  state_ = State::kConnected;
  // After a CONNECT without an answer it may be a new session that is present, which that one made.
  const bool in_doubt = std::exchange(is_session_in_doubt_, false);
  const bool is_mine = chain_ >= 0 && history_.last_chain_of(plan_.client_id) == chain_;
  const bool resumed = packet.session_present && is_mine && (!in_doubt || is_durable());
  if (is_durable() && is_mine && !packet.session_present) {
    history_.violation("P4: the session of " + plan_.client_id + " is lost");
  }
  if (packet.session_present && !is_mine) {
    // A session that another client of this id left: nothing is known of it, so nothing is checked.
    world_.note(plan_.client_id + " met a session of its namesake");
  }
  world_.note(plan_.client_id + (resumed ? " resumed" : " connected"));
  if (resumed) {
    history_.chain(chain_).connected = true;
    resume_outgoing();
    if (!plan_.subscriptions.empty() && !subscribed()) subscribe(0);
    return;
  }
  if (chain_ >= 0) end_chain();
  received_qos2_.clear();
  Chain chain;
  chain.client = number_;
  chain.client_id = plan_.client_id;
  chain.begun = world_.now();
  chain.inherited = packet.session_present;
  chain.outlives_connection =
      plan_.version == ProtocolVersion::kMqtt5 ? plan_.session_expiry_s != 0 : !plan_.clean_start;
  chain_ = history_.begin_chain(std::move(chain));
  restart_outgoing();
  if (!plan_.subscriptions.empty()) subscribe(0);
}

void SimClient::on_publish(const Publish& packet) {
  const std::optional<MessageKey> key = key_of(packet.payload);
  if (!key) {
    history_.violation("a damaged payload came to " + plan_.client_id);
  } else if (packet.qos != Qos::k2 || received_qos2_.insert(packet.packet_id).second) {
    if (history_.knows(*key) && history_.published(*key).topic != packet.topic) {
      history_.violation("a message came with another's topic to " + plan_.client_id);
    }
    world_.note(plan_.client_id + " gets " + text_of(*key) + at_qos(packet.qos) +
                (packet.dup ? ", again" : "") + " as " + std::to_string(packet.packet_id));
    history_.chain(chain_).deliveries.push_back(
        {*key, world_.now(), packet.qos, packet.dup, packet.retain, connection_});
  }
  if (packet.qos == Qos::k1) send_ack(PacketType::kPubAck, packet.packet_id);
  if (packet.qos == Qos::k2) send_ack(PacketType::kPubRec, packet.packet_id);
}

void SimClient::on_ack(const Ack& packet) {
  if (packet.type == PacketType::kPubRel) {
    received_qos2_.erase(packet.packet_id);
    return send_ack(PacketType::kPubComp, packet.packet_id);
  }
  const auto found = outgoing_.find(packet.packet_id);
  if (found == outgoing_.end()) return;
  Outgoing& message = found->second;
  Published& record = history_.published(message.key);
  const bool refused = static_cast<uint8_t>(packet.reason) >= 0x80;
  world_.note(plan_.client_id + " is answered " + text_of(message.key) +
              (message.released ? ", PUBCOMP" : "") + (refused ? ", refused" : ""));
  if (packet.type == PacketType::kPubRec && !refused) {
    if (!record.acked) record.acked = world_.now();
    message.released = true;
    message.sent = world_.now();
    return send_ack(PacketType::kPubRel, packet.packet_id);
  }
  if (packet.type == PacketType::kPubAck && !refused && !record.acked) record.acked = world_.now();
  outgoing_.erase(found);
  std::erase(outgoing_order_, packet.packet_id);
  send_waiting();
}

void SimClient::on_suback(const SubAck& packet) {
  const auto open = subscribe_open_.find(packet.packet_id);
  if (open == subscribe_open_.end() || open->second.size() != packet.reasons.size()) {
    history_.violation("a SUBACK that nobody waits for came to " + plan_.client_id);
    return;
  }
  for (size_t i = 0; i < open->second.size(); ++i) {
    if (static_cast<uint8_t>(packet.reasons[i]) > 2) continue;
    Subscription& subscription = history_.chain(chain_).subscriptions[open->second[i]];
    subscription.granted = static_cast<Qos>(packet.reasons[i]);
    subscription.suback = world_.now();
  }
  subscribe_open_.erase(open);
  const auto waiting = on_subscribed_.extract(packet.packet_id);
  if (!waiting.empty()) waiting.mapped()();
}

void SimClient::on_disconnect(const Disconnect& packet) {
  world_.note(plan_.client_id +
              " is disconnected: " + std::to_string(static_cast<int>(packet.reason)));
  if (packet.reason == ReasonCode::kSessionTakenOver) finished_ = true;
  drop("DISCONNECT");
}

}  // namespace shoal::sim
