#include "tests/broker/test_client.h"
#include "node/rules/overloaded.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

namespace shoal::test {
namespace {

std::string text(std::string_view view) { return std::string(view); }

std::string reason(ReasonCode code) { return absl::StrFormat(" 0x%02x", static_cast<int>(code)); }

std::string tell(const ConnAck& p) {
  std::string out = "CONNACK" + reason(p.reason);
  if (p.session_present) out += " present";
  if (p.assigned_client_id) out += " assigned";
  if (p.server_keep_alive_s) out += absl::StrFormat(" keepalive=%d", *p.server_keep_alive_s);
  if (p.session_expiry_s) out += absl::StrFormat(" expiry=%d", *p.session_expiry_s);
  if (p.response_information) out += " info=" + text(*p.response_information);
  if (p.authentication_method) out += " method=" + text(*p.authentication_method);
  if (p.authentication_data) out += " data=" + text(text_of(*p.authentication_data));
  if (p.server_reference) out += " use=" + text(*p.server_reference);
  if (p.maximum_qos) out += absl::StrFormat(" maxqos=%d", static_cast<int>(*p.maximum_qos));
  if (p.maximum_packet_size) out += absl::StrFormat(" maxsize=%d", *p.maximum_packet_size);
  return out;
}

std::string tell(const Publish& p) {
  std::string out = "PUBLISH " + text(p.topic);
  out += " " + (p.payload.size() > 32 ? absl::StrFormat("<%d bytes>", p.payload.size())
                                      : text(text_of(p.payload)));
  if (p.qos != Qos::k0) out += absl::StrFormat(" q%d id%d", static_cast<int>(p.qos), p.packet_id);
  if (p.dup) out += " dup";
  if (p.retain) out += " retain";
  if (p.topic_alias) out += absl::StrFormat(" alias=%d", *p.topic_alias);
  if (p.message_expiry_s) out += absl::StrFormat(" expiry=%d", *p.message_expiry_s);
  for (const uint32_t id : p.subscription_identifiers) out += absl::StrFormat(" sub=%d", id);
  if (p.application.payload_format) {
    out += absl::StrFormat(" format=%d", *p.application.payload_format);
  }
  if (p.application.correlation_data) {
    out += " correlation=" + text(text_of(*p.application.correlation_data));
  }
  if (p.application.content_type) out += " type=" + text(*p.application.content_type);
  if (p.application.response_topic) out += " to=" + text(*p.application.response_topic);
  for (const UserProperty user : p.application.user_properties) {
    out += " " + text(user.name) + "=" + text(user.value);
  }
  return out;
}

std::string tell(const Ack& p) {
  std::string out = text(name_of(p.type)) + absl::StrFormat(" %d", p.packet_id);
  if (p.reason != ReasonCode::kSuccess) out += reason(p.reason);
  return out;
}

std::string tell_codes(std::string out, uint16_t packet_id, const ReasonCodes& reasons) {
  out += absl::StrFormat(" %d", packet_id);
  for (const ReasonCode code : reasons) out += reason(code);
  return out;
}

std::string tell(const Disconnect& p) {
  std::string out = "DISCONNECT" + reason(p.reason);
  if (p.server_reference) out += " use=" + text(*p.server_reference);
  return out;
}

std::string tell(const Auth& p) {
  std::string out = "AUTH" + reason(p.reason) + " method=" + text(*p.authentication_method);
  if (p.authentication_data) out += " data=" + text(text_of(*p.authentication_data));
  return out;
}

}  // namespace

std::string describe(const std::vector<uint8_t>& bytes, ProtocolVersion version) {
  Frame frame;
  EXPECT_EQ(next_frame(bytes, kPacketSizeMax, frame), FrameStatus::kComplete);
  const Decoded decoded = decode_packet(frame, version, Sender::kServer);
  return std::visit(
      Overloaded{
          [](const Malformed& p) { return "MALFORMED " + std::string(p.detail); },
          [](const ConnAck& p) { return tell(p); },
          [](const Publish& p) { return tell(p); },
          [](const Ack& p) { return tell(p); },
          [](const SubAck& p) { return tell_codes("SUBACK", p.packet_id, p.reasons); },
          [](const UnsubAck& p) { return tell_codes("UNSUBACK", p.packet_id, p.reasons); },
          [](const PingResp&) { return std::string("PINGRESP"); },
          [](const Disconnect& p) { return tell(p); },
          [](const Auth& p) { return tell(p); },
          [](const auto&) { return std::string("a packet that only clients send"); },
      },
      decoded);
}

std::vector<std::vector<uint8_t>> TestClient::take_frames() {
  std::vector<std::vector<uint8_t>> frames;
  size_t at = 0;
  Frame frame;
  while (next_frame(ByteView(received).subspan(at), kPacketSizeMax, frame) ==
         FrameStatus::kComplete) {
    frames.emplace_back(received.begin() + at, received.begin() + at + frame.size);
    at += frame.size;
  }
  EXPECT_EQ(at, received.size()) << "the broker sent part of a packet";
  received.clear();
  return frames;
}

std::vector<std::string> TestClient::take() {
  std::vector<std::string> lines;
  for (const auto& frame : take_frames()) lines.push_back(describe(frame, version));
  return lines;
}

}  // namespace shoal::test
