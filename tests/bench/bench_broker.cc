// One worker's broker without sockets: bytes in, bytes out. Time is per delivered message; `allocs`
// counts operator new per delivered message, 0 where a message need not outlive its turn (a Message
// itself comes from malloc and is not counted).
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "tests/bench/broker_fixture.h"

namespace {
size_t g_allocations = 0;
}  // namespace

// Not inlined: gcc would then see free() given what came from operator new, and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  ++g_allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace shoal {
namespace {

ProtocolVersion version_of(int64_t n) { return static_cast<ProtocolVersion>(n); }

void report(benchmark::State& state, size_t delivered, size_t allocations) {
  state.SetItemsProcessed(static_cast<int64_t>(delivered));
  state.counters["allocs"] = static_cast<double>(allocations) / static_cast<double>(delivered);
}

// 100 publishers, each with a subscriber of its own and `window` messages a turn.
// Arguments: version, QoS, payload bytes, window.
void BM_Pairs(benchmark::State& state) {
  const ProtocolVersion version = version_of(state.range(0));
  const Qos qos = static_cast<Qos>(state.range(1));
  const auto window = static_cast<uint16_t>(state.range(3));
  Bench bench(version);
  constexpr int kPairs = 100;
  std::vector<ConnId> publishers, subscribers;
  std::vector<std::vector<uint8_t>> batches;
  for (int i = 0; i < kPairs; ++i) {
    const std::string topic = "bench/" + std::to_string(i);
    publishers.push_back(bench.connect("p" + std::to_string(i)));
    subscribers.push_back(bench.connect("s" + std::to_string(i)));
    bench.subscribe(subscribers.back(), topic, qos);
    batches.push_back(publishes(version, topic, qos, static_cast<size_t>(state.range(2)), window));
  }
  uint32_t next_id = 0;
  const auto round = [&] {
    for (int i = 0; i < kPairs; ++i) bench.bytes(publishers[i], batches[i]);
    bench.end_turn();
    if (qos == Qos::k0) return;
    const auto acks = pubacks(next_id, window);
    next_id += window;
    for (int i = 0; i < kPairs; ++i) bench.bytes(subscribers[i], acks);
    bench.end_turn();
  };
  for (int i = 0; i < 10; ++i) round();
  const size_t before = g_allocations;
  size_t delivered = 0;
  for (auto _ : state) {
    round();
    delivered += static_cast<size_t>(kPairs) * window;
  }
  report(state, delivered, g_allocations - before);
}
BENCHMARK(BM_Pairs)
    ->ArgNames({"version", "qos", "payload", "window"})
    ->Args({4, 0, 16, 20})
    ->Args({5, 0, 16, 20})
    ->Args({4, 1, 16, 20})
    ->Args({5, 1, 16, 20})
    ->Args({4, 0, 16, 1})
    ->Args({4, 0, 1024, 20});

// One publisher, 1000 subscribers, QoS 0. Arguments: version, payload bytes.
void BM_FanOut(benchmark::State& state) {
  const ProtocolVersion version = version_of(state.range(0));
  Bench bench(version);
  const ConnId publisher = bench.connect("p");
  constexpr size_t kSubscribers = 1000;
  for (size_t i = 0; i < kSubscribers; ++i) {
    bench.subscribe(bench.connect("s" + std::to_string(i)), "t", Qos::k0);
  }
  const auto batch = publishes(version, "t", Qos::k0, static_cast<size_t>(state.range(1)), 10);
  for (int i = 0; i < 3; ++i) {
    bench.bytes(publisher, batch);
    bench.end_turn();
  }
  const size_t before = g_allocations;
  size_t delivered = 0;
  for (auto _ : state) {
    bench.bytes(publisher, batch);
    bench.end_turn();
    delivered += 10 * kSubscribers;
  }
  report(state, delivered, g_allocations - before);
}
BENCHMARK(BM_FanOut)
    ->ArgNames({"version", "payload"})
    ->Args({4, 16})
    ->Args({5, 16})
    ->Args({4, 20'000});

// 100 publishers, a shared subscription of 5 members, QoS 1.
void BM_Shared(benchmark::State& state) {
  Bench bench(ProtocolVersion::kMqtt5);
  std::vector<ConnId> publishers, members;
  for (int i = 0; i < 100; ++i) publishers.push_back(bench.connect("p" + std::to_string(i)));
  for (int i = 0; i < 5; ++i) {
    members.push_back(bench.connect("m" + std::to_string(i)));
    bench.subscribe(members.back(), "$share/g/t", Qos::k1);
  }
  const auto batch = publishes(ProtocolVersion::kMqtt5, "t", Qos::k1, 16, 1);
  uint32_t next_id = 0;
  const auto round = [&] {
    for (const ConnId publisher : publishers) bench.bytes(publisher, batch);
    bench.end_turn();
    const auto acks = pubacks(next_id, 20);
    next_id += 20;
    for (const ConnId member : members) bench.bytes(member, acks);
    bench.end_turn();
  };
  for (int i = 0; i < 10; ++i) round();
  const size_t before = g_allocations;
  size_t delivered = 0;
  for (auto _ : state) {
    round();
    delivered += 100;
  }
  report(state, delivered, g_allocations - before);
}
BENCHMARK(BM_Shared);

// CONNECT and DISCONNECT of one client.
void BM_Connect(benchmark::State& state) {
  Bench bench(ProtocolVersion::kMqtt5);
  const size_t before = g_allocations;
  size_t done = 0;
  for (auto _ : state) {
    const ConnId conn = bench.connect("client");
    bench.send(conn, Disconnect{});
    bench.end_turn();
    bench.broker().on_closed(conn, {Instant{1'000'000'000'000}, 0});
    ++done;
  }
  report(state, done, g_allocations - before);
}
BENCHMARK(BM_Connect);

}  // namespace
}  // namespace shoal
