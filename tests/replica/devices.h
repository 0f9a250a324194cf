// All clients of a StoreCluster.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/replica/device.h"
#include "tests/replica/store_cluster.h"

namespace shoal::replica::test {

class Devices {
 public:
  explicit Devices(StoreCluster& cluster);

  // Goes on by itself: connections come and go, messages are published.
  void run();
  // From now on all stay where they are, and nothing new is published.
  void quiet() { is_quiet_ = true; }
  bool is_settled() const;
  // Then: all that was promised is there.
  void check();

  uint64_t promised() const { return promises_.promised(); }
  uint64_t received() const;

 private:
  void add_subscriber(std::string id, Qos qos, bool shares);
  void step();
  void move(Device& device);
  void publish_live(int node);

  StoreCluster& cluster_;
  Workers workers_;
  Promises promises_;
  std::vector<std::unique_ptr<Subscriber>> subscribers_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<Device*> all_;
  bool is_quiet_ = false;
  Instant burst_until_;  // of live messages
};

}  // namespace shoal::replica::test
