// What a million retained messages cost: a write, and portions of queries.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "node/rules/retained_tree.h"
#include "shoal/random.h"

namespace shoal {
namespace {

constexpr uint64_t kTopics = 1'000'000;
constexpr Instant kNow{1};

std::string topic_of(uint64_t i) {
  return "site" + std::to_string(i / 10'000) + "/device" + std::to_string(i / 10 % 1000) +
         "/value" + std::to_string(i % 10);
}

MessageRef message_of(const std::string& topic) {
  static constexpr uint8_t kPayload[16] = {};
  MessageView view;
  view.topic = topic;
  view.payload = kPayload;
  return Message::create(view);
}

RetainedTree& full_tree() {
  static const std::unique_ptr<RetainedTree> tree = [] {
    auto made = std::make_unique<RetainedTree>();
    for (uint64_t i = 0; i < kTopics; ++i) {
      // In an order without locality: 7 and 10^6 have no common divisor.
      made->put(message_of(topic_of(i * 7 % kTopics)), {1, NodeId{1}}, kNow);
    }
    return made;
  }();
  return *tree;
}

void write_again(benchmark::State& state) {
  RetainedTree& tree = full_tree();
  Random random(1);
  std::vector<MessageRef> messages(100'000);
  for (MessageRef& message : messages) message = message_of(topic_of(random.below(kTopics)));
  static uint64_t counter = 1;
  size_t next = 0;
  for (auto _ : state) {
    tree.put(messages[next], {++counter, NodeId{1}}, kNow);
    if (++next == messages.size()) next = 0;
  }
}
BENCHMARK(write_again);

// Time is of a whole query; "found" are its messages.
void query(benchmark::State& state, const char* filter) {
  RetainedTree& tree = full_tree();
  size_t found = 0;
  for (auto _ : state) {
    RetainedTree::Portion portion;
    for (found = 0; !portion.done; found += portion.messages.size()) {
      portion = tree.match(filter, portion.after, {}, kNow);
    }
  }
  state.counters["found"] = static_cast<double>(found);
}
BENCHMARK_CAPTURE(query, one_topic, "site7/device77/value7");
BENCHMARK_CAPTURE(query, one_device, "site7/device77/+");
BENCHMARK_CAPTURE(query, one_value_of_a_site, "site7/+/value7")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(query, a_device_everywhere, "+/device77/#")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(query, none_in_all, "+/+/nothing")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(query, all, "#")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shoal
