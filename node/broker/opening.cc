// CONNECT to CONNACK: check, authenticate, claim the client id in the cluster, wait until what the
// client's earlier connection published is finished, and only then ask the store.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "node/broker/core.h"
#include "node/rules/topic.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// No more than a connection takes anyway: a flood of large ones does not keep these out.
constexpr size_t kSmallConnect = 1024;

ReasonCode reason_of(CredentialAnswer::Outcome outcome) {
  switch (outcome) {
    case CredentialAnswer::Outcome::kAccepted: return ReasonCode::kSuccess;
    case CredentialAnswer::Outcome::kBadCredentials: return ReasonCode::kBadUserNameOrPassword;
    case CredentialAnswer::Outcome::kNotAuthorized: return ReasonCode::kNotAuthorized;
    case CredentialAnswer::Outcome::kBanned: return ReasonCode::kBanned;
    case CredentialAnswer::Outcome::kUnavailable: break;
  }
  return ReasonCode::kServerUnavailable;
}

// What a 3.x client is told for a code that 3.x does not have.
ReasonCode nearest_3x(ReasonCode reason) {
  return reason == ReasonCode::kBanned ? ReasonCode::kNotAuthorized : reason;
}

uint16_t keep_alive_of(const Connect& in, uint32_t keepalive_max_s) {
  if (keepalive_max_s == 0 || in.version != ProtocolVersion::kMqtt5) return in.keep_alive_s;
  const bool above = in.keep_alive_s == 0 || in.keep_alive_s > keepalive_max_s;
  return above ? static_cast<uint16_t>(std::min<uint32_t>(keepalive_max_s, 0xFFFF))
               : in.keep_alive_s;
}

}  // namespace

// ---- CONNECT ------------------------------------------------------------------------------------

void Core::on_connect(Connection& c, const Frame& frame) {
  if (frame.type() != PacketType::kConnect) {  // [MQTT5-3.1.0-1] [MQTT311-3.1.0-1]
    return protocol_error(c, ReasonCode::kProtocolError, "the first packet is not CONNECT");
  }
  Connect in;
  std::optional<ProtocolVersion> answer_as;
  const DecodeStatus status = decode_connect(frame, in, answer_as);
  c.may_answer = status.ok() || answer_as;
  c.version = answer_as.value_or(in.version);
  if (!status.ok()) return protocol_error(c, status);  // [MQTT5-3.1.4-1] [MQTT311-3.1.4-1]
  Opening& opening = *c.extra->opening;
  opening.client_id = in.client_id;
  c.problem_information = in.request_problem_information.value_or(true);
  c.packet_size_max =
      std::min<uint32_t>(in.maximum_packet_size.value_or(kPacketSizeMax), kPacketSizeMax);
  if (const auto refused = check_connect(c, in)) return refuse_connect(c, *refused);
  if (opening.is_one_too_many) {
    return refuse_connect(c, ReasonCode::kQuotaExceeded, "too many connections");
  }
  const bool is_small = frame.size <= kSmallConnect;
  if (!is_small && !opening.packet_share.take(opening_budget_, frame.size)) {
    return refuse_connect(c, ReasonCode::kQuotaExceeded, "too much is arriving at this node");
  }
  const uint8_t* const end = frame.body.data() + frame.body.size();
  opening.packet.assign(end - frame.size, end);
  opening.is_volatile = session_expiry_of(in) == 0 && !in.will;
  if (opening.client_id.empty()) assign_client_id(opening);
  authenticate(c, connect_of(opening));
}

Connect Core::connect_of(const Opening& opening) const {
  Frame frame;
  const FrameStatus framed = next_frame(opening.packet, kPacketSizeMax, frame);
  SHOAL_ASSERT(framed == FrameStatus::kComplete);
  Connect in;
  std::optional<ProtocolVersion> answer_as;
  const DecodeStatus status = decode_connect(frame, in, answer_as);
  SHOAL_ASSERT(status.ok());
  return in;
}

std::optional<ReasonCode> Core::check_connect(const Connection& c, const Connect& in) const {
  if (shutting_down_) return ReasonCode::kServerUnavailable;
  if (draining_) return reason_to_go();
  const bool nameless = in.client_id.empty();
  // Of names that are there, none is too long or too odd [MQTT5-3.1.3-5] [MQTT311-3.1.3-5].
  if (nameless && (in.version == ProtocolVersion::kMqtt31 || !config_.assign_client_ids)) {
    return ReasonCode::kClientIdentifierNotValid;
  }
  if (nameless && in.version == ProtocolVersion::kMqtt311 && !in.clean_start) {
    return ReasonCode::
        kClientIdentifierNotValid;  // [MQTT311-3.1.3-8] [MQTT311-3.1.3-9] [MQTT5-3.1.3-8]
  }
  if (!in.will) return std::nullopt;
  if (in.will->qos > config_.listeners[c.listener].max_qos) {
    return ReasonCode::kQosNotSupported;  // [MQTT5-3.2.2-12]
  }
  if (is_reserved_topic(in.will->topic)) return ReasonCode::kTopicNameInvalid;
  if (is_payload_misdeclared(in.will->application, in.will->payload)) {
    return ReasonCode::kPayloadFormatInvalid;
  }
  return std::nullopt;
}

// [MQTT5-3.1.3-6] [MQTT5-3.2.2-16] [MQTT311-3.1.3-6]
void Core::assign_client_id(Opening& opening) {
  char name[64];
  std::snprintf(name, sizeof name, "shoal-%016" PRIx64 "-%02x%016" PRIx64, config_.node.value,
                static_cast<unsigned>(config_.worker), random_.next());
  opening.client_id = name;
  opening.assigned_client_id = true;
}

void Core::authenticate(Connection& c, const Connect& in) {
  c.paused |= kPauseOpening;  // told to the runtime only if the client does not wait either
  if (in.authentication_method) {
    return begin_exchange(c, *in.authentication_method,
                          in.authentication_data.value_or(ByteView{}));
  }
  c.phase = Phase::kWaitCredentials;
  CredentialCheck check = check_of(c);
  if (in.user_name) check.user_name = std::string(*in.user_name);
  if (in.password) check.password = std::string(text_of(*in.password));
  current_.credential_checks.push_back(std::move(check));
}

void Core::on_authenticated(Connection& c, const CredentialAnswer& answer) {
  if (answer.outcome != CredentialAnswer::Outcome::kAccepted) {
    return refuse_connect(c, reason_of(answer.outcome));  // [MQTT5-3.1.4-2] [MQTT5-4.12.0-4]
  }
  Opening& opening = *c.extra->opening;
  opening.credentials = answer;
  c.paused |= kPauseOpening;
  c.phase = Phase::kWaitClaim;
  set_connection_timer(c, now_.mono + config_.limits.publish_timeout);
  current_.to_hub.push_back(
      ClaimRequest{c.id, opening.client_id, opening.credentials.user, opening.is_volatile});
}

// ---- the claim ------------------------------------------------------------------------------------

void Core::on_claim_answer(const ClaimAnswer& answer) {
  // The hub took the older connection to be here still, whose end is this worker's own matter.
  if (answer.outcome == ClaimAnswer::Outcome::kGranted) {
    if (const auto moved = moved_.find(answer.client_id); moved != moved_.end()) {
      evict_moved(answer.client_id, Stamp(moved->second.claim), std::nullopt);
    }
  }
  Connection* const c = find(answer.conn);
  const bool waits = c && c->phase == Phase::kWaitClaim;
  if (!waits) {
    if (answer.outcome != ClaimAnswer::Outcome::kGranted) return;
    // The connection is gone meanwhile: the claim goes to the session that is here, or goes back.
    if (Session* const s = find_session(answer.client_id)) {
      s->claim = answer.stamp;
    } else {
      current_.to_hub.push_back(ClaimRelease{answer.client_id, answer.stamp});
    }
    return;
  }
  switch (answer.outcome) {
    case ClaimAnswer::Outcome::kGranted:
      c->extra->opening->claim = answer.stamp;
      return admit(*c, answer.is_nothing_stored);
    case ClaimAnswer::Outcome::kSuperseded:
      return refuse_connect(*c, ReasonCode::kSessionTakenOver);
    case ClaimAnswer::Outcome::kUnavailable:
      return refuse_connect(*c, ReasonCode::kServerUnavailable, "not in a cluster");
    case ClaimAnswer::Outcome::kLeft:
      return refuse_connect(*c, ReasonCode::kServerUnavailable, "this node has left the cluster");
    case ClaimAnswer::Outcome::kRefusedUser: return refuse_user(*c);
  }
}

// The connection ends before the answer.
void Core::withdraw(Connection& c) {
  if (c.phase == Phase::kWaitClaim) {
    current_.to_hub.push_back(ClaimWithdraw{c.id, c.extra->opening->client_id});
  } else if (c.phase == Phase::kWaitQuiet) {
    Session* const s = find_session(c.extra->opening->client_id);
    if (s && s->successor == c.id) s->successor = ConnId{};
  } else if (c.phase == Phase::kWaitStore || c.phase == Phase::kWaitRoutes) {
    withdraw_from_store(c);
  }
}

// The claim is ours. An older connection of this client at this worker goes first, and what it
// published is waited for, so that a message that is sent again cannot overtake its older self.
void Core::admit(Connection& c, bool is_nothing_stored) {
  Opening& opening = *c.extra->opening;
  Session* const s = find_session(opening.client_id);
  if (!s) return is_nothing_stored ? attach_unasked(c) : ask_store(c);
  c.phase = Phase::kWaitQuiet;
  if (s->durable && s->durable->user != opening.credentials.user) {
    s->claim = opening.claim;
    return refuse_user(c);
  }
  if (Connection* const other = find(s->successor)) {
    refuse_connect(*other, ReasonCode::kSessionTakenOver);
  }
  s->successor = c.id;
  s->claim = opening.claim;
  if (s->connection) {  // [MQTT5-3.1.4-3] [MQTT311-3.1.4-2]
    ++counters_.takeovers;
    close(*s->connection, ReasonCode::kSessionTakenOver);
  }
  SHOAL_ASSERT(s->ended);
}

void Core::refuse_user(Connection& c) {
  refuse_connect(c, ReasonCode::kNotAuthorized, "the session is another user's");
}

// To a session that is resumed [MQTT5-3.1.2-5], or a new one [MQTT5-3.1.2-6], known by its client id
// [MQTT5-3.1.3-2] [MQTT311-3.1.3-2].
void Core::attach(Connection& c, Session& s, bool session_present) {
  const Opening& opening = *c.extra->opening;
  const Connect in = connect_of(opening);
  SHOAL_ASSERT(!s.connection);
  s.successor = ConnId{};
  s.connection = &c;
  c.session = &s;
  c.phase = Phase::kConnected;
  take_parameters(c, in);
  set_rights(s, opening.credentials);
  send_connack(c, in, session_present);
  if (!c.open()) return;
  c.extra->opening.reset();
  c.extra->unread.move_to(budget_);
  ++counters_.connects;
  ++counters_.connected_now;
  c.connected_counted = true;
  log(LogEvent::Kind::kConnected, c, ReasonCode::kSuccess, {});
  c.last_in = now_.mono;
  set_connection_timer(c, keep_alive_end(c));
  unpause(c, kPauseOpening);
  pump(s);  // [MQTT5-4.4.0-1] [MQTT311-4.4.0-1]
  drop_extra_if_idle(s);
  drop_extra_if_idle(c);
}

uint32_t Core::session_expiry_of(const Connect& in) const {
  const uint32_t expiry_max_s = config_.limits.session_expiry_max_s;
  if (in.version == ProtocolVersion::kMqtt5) {
    return std::min(in.session_expiry_s.value_or(0), expiry_max_s);
  }
  return in.clean_start ? 0 : expiry_max_s;  // [MQTT311-3.1.2-4] [MQTT311-3.1.2-6]
}

// [MQTT5-4.9.0-1]
uint16_t Core::window_of(const Connect& in) const {
  return std::min(in.receive_maximum.value_or(0xFFFF), config_.limits.inflight_max);
}

void Core::take_parameters(Connection& c, const Connect& in) {
  const Limits& limits = config_.limits;
  c.asked_to_stay = in.session_expiry_s.value_or(0) > 0;
  c.keep_alive_s = keep_alive_of(in, limits.keepalive_max_s);
  c.window = window_of(in);
  const uint16_t aliases = std::min(in.topic_alias_maximum.value_or(0), limits.topic_alias_max);
  // None at all when the client takes none [MQTT5-3.1.2-27].
  if (aliases > 0) c.need_extra().aliases_out = std::make_unique<AliasTable>(aliases);
  if (in.authentication_method) {
    c.need_extra().authentication_method = std::string(*in.authentication_method);
  }
}

// The first packet that the client gets, and the only CONNACK [MQTT5-3.1.4-5] [MQTT5-3.2.0-1]
// [MQTT5-3.2.0-2] [MQTT311-3.1.4-4] [MQTT311-3.2.0-1].
void Core::send_connack(Connection& c, const Connect& in, bool session_present) {
  const Limits& limits = config_.limits;
  const Opening& opening = *c.extra->opening;
  ConnAck out;
  // [MQTT5-3.2.2-2] [MQTT5-3.2.2-3] [MQTT311-3.2.2-1] [MQTT311-3.2.2-2] [MQTT311-3.2.2-3]
  out.session_present = session_present;
  const uint32_t expiry_s = session_expiry_of(in);
  if (expiry_s != in.session_expiry_s.value_or(0)) out.session_expiry_s = expiry_s;
  out.receive_maximum = limits.receive_maximum;
  const Qos max_qos = config_.listeners[c.listener].max_qos;
  if (max_qos != Qos::k2) out.maximum_qos = max_qos;  // [MQTT5-3.2.2-9]
  if (packet_size_max_ < kPacketSizeMax) {
    out.maximum_packet_size = static_cast<uint32_t>(packet_size_max_);
  }
  if (opening.assigned_client_id) out.assigned_client_id = opening.client_id;  // [MQTT5-3.1.3-7]
  if (limits.topic_alias_max > 0) out.topic_alias_maximum = limits.topic_alias_max;
  // Without it the client's own value holds [MQTT5-3.2.2-22].
  if (c.keep_alive_s != in.keep_alive_s) out.server_keep_alive_s = c.keep_alive_s;
  if (in.request_response_information.value_or(false) && !config_.response_information.empty()) {
    out.response_information = config_.response_information;  // [MQTT5-3.1.2-28]
  }
  if (in.authentication_method) {  // [MQTT5-4.12.0-5] [MQTT5-4.12.0-6]
    out.authentication_method = *in.authentication_method;
    if (!opening.authentication_data.empty()) {
      out.authentication_data = ByteView(opening.authentication_data);
    }
  }
  if (encoded_size(out, c.version) > c.packet_size_max) {  // [MQTT5-3.1.2-24]
    return close_silently(c, false);
  }
  write(c, out);
}

// A CONNECT that fails, at any point before its CONNACK with success [MQTT5-3.2.2-6]
// [MQTT5-3.2.2-7] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5]. What else the client sent is not looked at
// [MQTT5-3.1.4-6] [MQTT311-3.1.4-5].
void Core::refuse_connect(Connection& c, ReasonCode reason, std::string_view detail) {
  ++counters_.connects_refused;
  log(LogEvent::Kind::kRefused, c, reason, detail);
  if (!c.may_answer) return close_silently(c, false);
  if (c.version == ProtocolVersion::kMqtt5) {
    ConnAck out;
    // Taken over before it was let in: CONNACK has no code for that, so that it is let in and out. But not
    // one that may have a session, which would take that for lost.
    const bool is_late = reason == ReasonCode::kSessionTakenOver;
    const bool taken_over = is_late && connect_of(*c.extra->opening).clean_start;
    out.reason = is_late ? ReasonCode::kServerBusy : reason;
    if (taken_over) out.reason = ReasonCode::kSuccess;
    if (!complete_refusal(c, out, reason, detail)) return close_silently(c, false);
    write(c, out);
    if (taken_over) send_disconnect(c, reason, {});
  } else if (connack_return_code_of(nearest_3x(reason))) {
    ConnAck out;
    out.reason = nearest_3x(reason);
    write(c, out);  // else closed without CONNACK [MQTT311-3.2.2-6]
  }
  close_silently(c, true);
}

}  // namespace shoal
