// A packet's fields as one line of text, every field that is there and no other: for tests to
// compare packets by, and to show them. A header alone, for any test program.
#pragma once

#include <concepts>
#include <string>
#include <variant>

#include "node/codec/decode.h"
#include "tests/codec/bytes.h"

namespace shoal {

class Description {
 public:
  explicit Description(std::string_view type) : text_(type) {}

  Description& add(const char* name, std::string_view value) {
    return raw(name, '\'' + std::string(value) + '\'');
  }
  Description& add(const char* name, ByteView value) {
    return raw(name, '[' + hex_of({value.begin(), value.end()}) + ']');
  }
  Description& add(const char* name, std::unsigned_integral auto value) {
    return raw(name, std::to_string(value));
  }
  Description& add(const char* name, bool value) { return value ? raw(name, "yes") : *this; }
  Description& add(const char* name, Qos value) {
    return raw(name, std::to_string(static_cast<int>(value)));
  }
  Description& add(const char* name, ReasonCode value) {
    return value == ReasonCode::kSuccess ? *this : raw(name, std::string(name_of(value)));
  }
  template <class T>
  Description& add(const char* name, const std::optional<T>& value) {
    if (!value) return *this;
    if constexpr (std::is_same_v<T, bool>) return raw(name, *value ? "yes" : "no");
    return add(name, *value);
  }
  Description& add(const UserProperties& properties) {
    for (const auto& [name, value] : properties) {
      raw("user", std::string(name) + '=' + std::string(value));
    }
    return *this;
  }
  Description& add(const ApplicationProperties& p) {
    return add("format", p.payload_format)
        .add("content_type", p.content_type)
        .add("response_topic", p.response_topic)
        .add("correlation", p.correlation_data)
        .add(p.user_properties);
  }
  Description& add(const ReasonCodes& reasons) {
    for (const ReasonCode reason : reasons) raw("code", std::string(name_of(reason)));
    return *this;
  }
  Description& raw(const char* name, const std::string& value) {
    text_ += std::string(" ") + name + ":" + value;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

inline std::string describe(const Malformed& p) {
  return Description("MALFORMED").add("reason", p.reason).add("detail", p.detail).text();
}

inline std::string describe(const Connect& p) {
  Description out("CONNECT");
  out.raw("version", std::to_string(static_cast<int>(p.version)))
      .add("clean_start", p.clean_start)
      .add("keep_alive", p.keep_alive_s)
      .add("client_id", p.client_id)
      .add("session_expiry", p.session_expiry_s)
      .add("receive_maximum", p.receive_maximum)
      .add("maximum_packet_size", p.maximum_packet_size)
      .add("topic_alias_maximum", p.topic_alias_maximum)
      .add("response_information", p.request_response_information)
      .add("problem_information", p.request_problem_information)
      .add("method", p.authentication_method)
      .add("data", p.authentication_data)
      .add(p.user_properties);
  if (p.will) {
    out.add("will", p.will->topic)
        .add("will_payload", p.will->payload)
        .add("will_qos", p.will->qos)
        .add("will_retain", p.will->retain)
        .add("will_delay", p.will->delay_s)
        .add("will_expiry", p.will->message_expiry_s)
        .add(p.will->application);
  }
  return out.add("user_name", p.user_name).add("password", p.password).text();
}

inline std::string describe(const ConnAck& p) {
  return Description("CONNACK")
      .add("session_present", p.session_present)
      .add("reason", p.reason)
      .add("session_expiry", p.session_expiry_s)
      .add("receive_maximum", p.receive_maximum)
      .add("maximum_qos", p.maximum_qos)
      .add("retain", p.retain_available)
      .add("maximum_packet_size", p.maximum_packet_size)
      .add("assigned", p.assigned_client_id)
      .add("topic_alias_maximum", p.topic_alias_maximum)
      .add("why", p.reason_string)
      .add(p.user_properties)
      .add("wildcards", p.wildcard_subscription_available)
      .add("identifiers", p.subscription_identifier_available)
      .add("shared", p.shared_subscription_available)
      .add("keep_alive", p.server_keep_alive_s)
      .add("response_information", p.response_information)
      .add("server", p.server_reference)
      .add("method", p.authentication_method)
      .add("data", p.authentication_data)
      .text();
}

inline std::string describe(const Publish& p) {
  Description out("PUBLISH");
  out.add("dup", p.dup).add("qos", p.qos).add("retain", p.retain).add("id", p.packet_id);
  out.add("topic", p.topic).add("alias", p.topic_alias).add("expiry", p.message_expiry_s);
  for (const uint32_t id : p.subscription_identifiers) out.add("subscription", id);
  return out.add(p.application).add("payload", p.payload).text();
}

inline std::string describe(const Ack& p) {
  return Description(name_of(p.type))
      .add("id", p.packet_id)
      .add("reason", p.reason)
      .add("why", p.reason_string)
      .add(p.user_properties)
      .text();
}

inline std::string describe(const Subscribe& p) {
  Description out("SUBSCRIBE");
  out.add("id", p.packet_id).add("identifier", p.subscription_identifier).add(p.user_properties);
  for (const SubscriptionRequest& request : p.subscriptions) {
    out.add("filter", request.filter)
        .add("qos", request.qos)
        .add("no_local", request.no_local)
        .add("retain_as_published", request.retain_as_published)
        .add("retain_handling", request.retain_handling);
  }
  return out.text();
}

inline std::string describe(const Unsubscribe& p) {
  Description out("UNSUBSCRIBE");
  out.add("id", p.packet_id).add(p.user_properties);
  for (const std::string_view filter : p.filters) out.add("filter", filter);
  return out.text();
}

inline std::string describe(const SubAck& p) {
  return Description("SUBACK")
      .add("id", p.packet_id)
      .add("why", p.reason_string)
      .add(p.user_properties)
      .add(p.reasons)
      .text();
}

inline std::string describe(const UnsubAck& p) {
  return Description("UNSUBACK")
      .add("id", p.packet_id)
      .add("why", p.reason_string)
      .add(p.user_properties)
      .add(p.reasons)
      .text();
}

inline std::string describe(const PingReq&) { return "PINGREQ"; }
inline std::string describe(const PingResp&) { return "PINGRESP"; }

inline std::string describe(const Disconnect& p) {
  return Description("DISCONNECT")
      .add("reason", p.reason)
      .add("session_expiry", p.session_expiry_s)
      .add("why", p.reason_string)
      .add(p.user_properties)
      .add("server", p.server_reference)
      .text();
}

inline std::string describe(const Auth& p) {
  return Description("AUTH")
      .add("reason", p.reason)
      .add("method", p.authentication_method)
      .add("data", p.authentication_data)
      .add("why", p.reason_string)
      .add(p.user_properties)
      .text();
}

inline std::string describe(const Decoded& decoded) {
  return std::visit([](const auto& packet) { return describe(packet); }, decoded);
}

}  // namespace shoal
