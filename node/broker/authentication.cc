// Enhanced authentication (5.0: 4.12): the exchange of AUTH packets before CONNACK, and again later
// when the client asks for it. What is said in it is the method's (node/auth).
#include "node/broker/core.h"

namespace shoal {

// Without what CONNECT says of a user.
CredentialCheck Core::check_of(const Connection& c) const {
  CredentialCheck check;
  check.conn = c.id;
  check.listener = c.listener;
  check.address = c.address;
  if (c.session) {
    check.client_id = c.session->client_id;
  } else {
    check.tls_identity = c.extra->opening->tls_identity;
    check.client_id = c.extra->opening->client_id;
  }
  return check;
}

void Core::begin_exchange(Connection& c, std::string_view method, std::span<const uint8_t> data) {
  ConnectionExtra& extra = c.need_extra();
  extra.authentication_method = std::string(method);
  extra.exchange = config_.auth_methods
                       ? config_.auth_methods->begin(check_of(c), extra.authentication_method)
                       : nullptr;
  if (extra.exchange) return step_exchange(c, data);
  // [MQTT5-4.12.0-1]
  if (c.phase == Phase::kConnected) return close(c, ReasonCode::kNotAuthorized);
  refuse_connect(c, ReasonCode::kBadAuthenticationMethod);
}

void Core::step_exchange(Connection& c, std::span<const uint8_t> data) {
  AuthExchange::Step step = c.extra->exchange->on_data(data);
  const bool again = c.phase == Phase::kConnected;
  if (!step.done) {
    if (!again) {
      c.phase = Phase::kAuthenticating;
      unpause(c, kPauseOpening);
    }
    return send_auth(c, ReasonCode::kContinueAuthentication, step.data);  // [MQTT5-4.12.0-2]
  }
  c.extra->exchange.reset();
  if (!again) {
    c.extra->opening->authentication_data = std::move(step.data);
    return on_authenticated(c, step.answer);
  }
  if (step.answer.outcome != CredentialAnswer::Outcome::kAccepted) {
    return close(c, ReasonCode::kNotAuthorized, "authentication failed");  // [MQTT5-4.12.1-2]
  }
  set_rights(*c.session, step.answer);
  send_auth(c, ReasonCode::kSuccess, step.data);
}

void Core::on_auth(Connection& c, const Frame& frame) {
  Auth in;
  if (const DecodeStatus status = decode_auth(frame, Sender::kClient, in); !status.ok()) {
    return protocol_error(c, status);
  }
  const std::string_view method = c.extra ? c.extra->authentication_method : std::string_view();
  if (method.empty() || in.authentication_method != method) {  // [MQTT5-4.12.0-7] [MQTT5-4.12.1-1]
    return protocol_error(c, ReasonCode::kProtocolError, "another authentication method");
  }
  const ByteView data = in.authentication_data.value_or(ByteView{});
  const bool running = c.extra->exchange != nullptr;
  if (running && in.reason == ReasonCode::kContinueAuthentication) {  // [MQTT5-4.12.0-3]
    return step_exchange(c, data);
  }
  if (!running && c.phase == Phase::kConnected && in.reason == ReasonCode::kReAuthenticate) {
    return begin_exchange(c, std::string(method), data);
  }
  protocol_error(c, ReasonCode::kProtocolError, "unexpected AUTH");
}

void Core::send_auth(Connection& c, ReasonCode reason, std::span<const uint8_t> data) {
  Auth out;
  out.reason = reason;
  out.authentication_method = c.extra->authentication_method;  // [MQTT5-4.12.0-5]
  if (!data.empty()) out.authentication_data = data;
  if (encoded_size(out, c.version) > c.packet_size_max) {  // [MQTT5-3.1.2-24]
    return protocol_error(c, ReasonCode::kPacketTooLarge, "AUTH above Maximum Packet Size");
  }
  write(c, out);
}

void Core::set_rights(Session& s, const CredentialAnswer& answer) {
  if (answer.user.empty() && !answer.access && !s.extra) return;
  SessionExtra& extra = s.need_extra();
  extra.user = answer.user;
  extra.access = answer.access;
  s.access = extra.access.get();
}

}  // namespace shoal
