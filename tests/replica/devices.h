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
  // Those of another cluster that were there before: clients have their names still, publishers others.
  struct Before {
    uint64_t published = 0;
    uint64_t claims = 0;
    std::string publishers = "pub";
  };
  explicit Devices(StoreCluster& cluster) : Devices(cluster, Before()) {}
  Devices(StoreCluster& cluster, const Before& before);

  // Goes on by itself: connections come and go, messages are published.
  void run();
  // From now on all stay where they are, and nothing new is published.
  void quiet() { is_quiet_ = true; }
  bool is_settled() const;
  // Then: all that was promised is there.
  void check();

  uint64_t promised() const { return promises_.promised(); }
  uint64_t received() const;
  const Promises& promises() const { return promises_; }
  std::vector<Reader> readers() const;
  Before now() const { return {promises_.published(), workers_.claims(), "pub"}; }

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
