// What a message costs between places: written into a batch, read from it, and checked on arrival.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "node/rules/forward_batch.h"

namespace shoal {
namespace {

constexpr Instant kNow{1};
constexpr int kMessages = 100;  // of a turn

MessageView message_of(const std::vector<uint8_t>& payload) {
  MessageView view;
  view.qos = Qos::k1;
  view.topic = "site/12/meter/7/power";
  view.payload = payload;
  view.publisher = 0x1234567890ABCDEF;
  return view;
}

void write_turn(ForwardBatchWriter& writer, const MessageView& message,
                std::vector<ForwardBatchRef>& batches) {
  batches.clear();
  for (int i = 0; i < kMessages; ++i) writer.append(message, 3, {}, kNow);
  writer.finish(batches);
}

void write(benchmark::State& state) {
  const std::vector<uint8_t> payload(static_cast<size_t>(state.range(0)));
  const MessageView message = message_of(payload);
  ForwardBatchWriter writer(0);
  std::vector<ForwardBatchRef> batches;
  for (auto _ : state) write_turn(writer, message, batches);
  state.SetItemsProcessed(state.iterations() * kMessages);
  state.counters["bytes"] = static_cast<double>(batches.front()->records.size()) /
                            static_cast<double>(batches.front()->messages);
}
BENCHMARK(write)->Arg(64)->Arg(1024);

void read(benchmark::State& state) {
  const std::vector<uint8_t> payload(64);
  ForwardBatchWriter writer(0);
  std::vector<ForwardBatchRef> batches;
  write_turn(writer, message_of(payload), batches);
  for (auto _ : state) {
    ForwardBatchReader reader(*batches.front(), kNow);
    for (ForwardRecord record; reader.next(record);) benchmark::DoNotOptimize(record);
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(read);

void parse_from_peer(benchmark::State& state) {
  const std::vector<uint8_t> payload(64);
  ForwardBatchWriter writer(0);
  std::vector<ForwardBatchRef> batches;
  write_turn(writer, message_of(payload), batches);
  std::string wire;
  serialize(*batches.front(), wire);
  const std::span bytes(reinterpret_cast<const uint8_t*>(wire.data()), wire.size());
  for (auto _ : state) benchmark::DoNotOptimize(parse_forward_batch(bytes));
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(parse_from_peer);

}  // namespace
}  // namespace shoal
