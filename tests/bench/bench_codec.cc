// What the codec costs a message: a small PUBLISH in and out, its acknowledgement, and the pieces.
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "node/codec/decode.h"
#include "node/codec/encode.h"
#include "node/codec/utf8.h"

namespace shoal {
namespace {

constexpr ProtocolVersion k311 = ProtocolVersion::kMqtt311;
constexpr ProtocolVersion k5 = ProtocolVersion::kMqtt5;
constexpr std::string_view kTopic = "site/12/meter/7/power";
constexpr std::array<uint8_t, 16> kPayload{};

Publish small_publish(Qos qos) {
  Publish publish;
  publish.qos = qos;
  publish.packet_id = qos == Qos::k0 ? 0 : 7;
  publish.topic = kTopic;
  publish.payload = kPayload;
  return publish;
}

std::vector<uint8_t> publish_with_properties() {
  std::vector<uint8_t> users;
  append_user_property("trace", "4bf92f3577b34da6a3ce929d0e0e4736", users);
  Publish publish = small_publish(Qos::k1);
  publish.message_expiry_s = 3600;
  publish.application.payload_format = 1;
  publish.application.content_type = "application/json";
  publish.application.user_properties = UserProperties::of_valid(users);
  std::vector<uint8_t> out;
  encode_to(out, publish, k5);
  return out;
}

void decode_loop(benchmark::State& state, const std::vector<uint8_t>& bytes,
                 ProtocolVersion version) {
  Publish publish;
  for (auto _ : state) {
    Frame frame;
    benchmark::DoNotOptimize(next_frame(bytes, kPacketSizeMax, frame));
    benchmark::DoNotOptimize(decode_publish(frame, version, Sender::kClient, publish).ok());
    benchmark::DoNotOptimize(publish);
  }
}

void decode_small_publish(benchmark::State& state) {
  std::vector<uint8_t> bytes;
  const auto version = static_cast<ProtocolVersion>(state.range(0));
  encode_to(bytes, small_publish(static_cast<Qos>(state.range(1))), version);
  decode_loop(state, bytes, version);
}
BENCHMARK(decode_small_publish)->ArgNames({"version", "qos"})->ArgsProduct({{4, 5}, {0, 1}});

void decode_publish_with_properties(benchmark::State& state) {
  decode_loop(state, publish_with_properties(), k5);
}
BENCHMARK(decode_publish_with_properties);

void decode_small_publish_as_variant(benchmark::State& state) {
  std::vector<uint8_t> bytes;
  encode_to(bytes, small_publish(Qos::k1), k5);
  for (auto _ : state) {
    Frame frame;
    benchmark::DoNotOptimize(next_frame(bytes, kPacketSizeMax, frame));
    benchmark::DoNotOptimize(decode_packet(frame, k5, Sender::kClient));
  }
}
BENCHMARK(decode_small_publish_as_variant);

void decode_puback(benchmark::State& state) {
  std::vector<uint8_t> bytes;
  encode_to(bytes, Ack{.packet_id = 7}, k5);
  Ack ack;
  for (auto _ : state) {
    Frame frame;
    benchmark::DoNotOptimize(next_frame(bytes, kPacketSizeMax, frame));
    benchmark::DoNotOptimize(decode_ack(frame, k5, Sender::kClient, ack).ok());
    benchmark::DoNotOptimize(ack);
  }
}
BENCHMARK(decode_puback);

void encode_puback(benchmark::State& state) {
  std::array<uint8_t, 64> out;
  Ack ack{.packet_id = 7};
  for (auto _ : state) {
    benchmark::DoNotOptimize(ack);
    benchmark::DoNotOptimize(encoded_size(ack, k5));
    benchmark::DoNotOptimize(encode(ack, k5, out.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(encode_puback);

// What a fan-out does once a message, and the patch that it does once a subscriber.
void encode_publish_header(benchmark::State& state) {
  const auto version = static_cast<ProtocolVersion>(state.range(0));
  std::array<uint8_t, 128> out;
  PublishHeader header;
  header.qos = Qos::k1;
  header.packet_id = 7;
  header.topic = kTopic;
  header.payload_size = kPayload.size();
  for (auto _ : state) {
    benchmark::DoNotOptimize(header);
    benchmark::DoNotOptimize(encoded_size(header, version));
    benchmark::DoNotOptimize(encode(header, version, out.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(encode_publish_header)->ArgName("version")->Arg(4)->Arg(5);

void encode_small_publish(benchmark::State& state) {
  std::array<uint8_t, 128> out;
  Publish publish = small_publish(Qos::k1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(publish);
    benchmark::DoNotOptimize(encoded_size(publish, k311));
    benchmark::DoNotOptimize(encode(publish, k311, out.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(encode_small_publish);

// Where the own ASCII loop hands over to simdjson.
void check_string(benchmark::State& state) {
  const std::string text(static_cast<size_t>(state.range(0)), 'a');
  for (auto _ : state) {
    benchmark::DoNotOptimize(is_mqtt_string(text));
  }
}
BENCHMARK(check_string)->Arg(4)->Arg(16)->Arg(64)->Arg(65)->Arg(256)->Arg(4096);

}  // namespace
}  // namespace shoal
