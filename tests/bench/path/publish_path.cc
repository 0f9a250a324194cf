// The publish path of one broker, a fixed number of times: what `./dev bench instructions` counts with
// callgrind. Two runs of different length, subtracted, leave nothing but the path.
//
//   publish_path SCENARIO ROUNDS      prints how many messages a round delivers
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/broker_fixture.h"

namespace shoal {
namespace {

struct Scenario {
  const char* name;
  ProtocolVersion version;
  Qos qos;
  int publishers;
  int subscribers;     // 1: each publisher has one of its own
  uint16_t window;     // messages of each publisher a round
  const char* filter;  // null: the publisher's topic
};

constexpr Scenario kScenarios[] = {
    {"pairs-qos0", ProtocolVersion::kMqtt311, Qos::k0, 100, 1, 20, nullptr},
    {"pairs-qos0-v5", ProtocolVersion::kMqtt5, Qos::k0, 100, 1, 20, nullptr},
    {"pairs-qos0-one", ProtocolVersion::kMqtt311, Qos::k0, 100, 1, 1, nullptr},
    {"pairs-qos1", ProtocolVersion::kMqtt311, Qos::k1, 100, 1, 20, nullptr},
    {"fan-out-qos0", ProtocolVersion::kMqtt311, Qos::k0, 1, 1000, 10, nullptr},
    {"fan-out-qos1", ProtocolVersion::kMqtt311, Qos::k1, 1, 1000, 10, nullptr},
    {"shared-qos1", ProtocolVersion::kMqtt5, Qos::k1, 5, 1, 20, "$share/group/topic/+"},
};

class Path {
 public:
  explicit Path(const Scenario& scenario) : scenario_(scenario), bench_(scenario.version) {
    for (int i = 0; i < scenario.publishers; ++i) {
      const std::string topic = "topic/" + std::to_string(i);
      publishers_.push_back(bench_.connect("p" + std::to_string(i)));
      batches_.push_back(publishes(scenario.version, topic, scenario.qos, 16, scenario.window));
      for (int j = 0; j < scenario.subscribers; ++j) {
        subscribers_.push_back(bench_.connect("s" + std::to_string(i) + "-" + std::to_string(j)));
        bench_.subscribe(subscribers_.back(), scenario.filter ? scenario.filter : topic,
                         scenario.qos);
      }
    }
  }

  int messages() const { return static_cast<int>(subscribers_.size()) * scenario_.window; }

  void round() {
    for (size_t i = 0; i < publishers_.size(); ++i) bench_.bytes(publishers_[i], batches_[i]);
    bench_.end_turn();
    if (scenario_.qos == Qos::k0) return;
    const auto acks = pubacks(sent_, scenario_.window);
    sent_ += scenario_.window;
    for (const ConnId subscriber : subscribers_) bench_.bytes(subscriber, acks);
    bench_.end_turn();
  }

 private:
  const Scenario& scenario_;
  Bench bench_;
  std::vector<ConnId> publishers_, subscribers_;
  std::vector<std::vector<uint8_t>> batches_;
  uint32_t sent_ = 0;  // to each subscriber
};

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  for (const auto& scenario : shoal::kScenarios) {
    if (argc != 3 || std::string_view(argv[1]) != scenario.name) continue;
    shoal::Path path(scenario);
    for (int left = std::atoi(argv[2]); left > 0; --left) path.round();
    std::printf("%d\n", path.messages());
    return 0;
  }
  std::fputs("usage: publish_path SCENARIO ROUNDS\n", stderr);
  for (const auto& scenario : shoal::kScenarios) std::fprintf(stderr, "  %s\n", scenario.name);
  return 2;
}
