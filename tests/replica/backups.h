// Takes backups of a StoreCluster while faults strike, restores some of them into a cluster of one node,
// and demands of that what was promised before the backup was begun.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/shard/key_values.h"
#include "tests/replica/devices.h"
#include "tests/replica/store_cluster.h"

namespace shoal::replica::test {

class Backups {
 public:
  Backups(StoreCluster& cluster, Devices& devices) : cluster_(cluster), devices_(devices) {}

  // Goes on by itself.
  void run();
  uint64_t restored() const { return restored_; }

 private:
  struct Part {
    raft::Index index = 0;
    raft::Term term = 0;
    shard::MemoryKeyValues values;
    bool is_whole = false;
  };
  struct Taking {
    int node = 0;
    uint64_t incarnation = 0;
    // When it was begun.
    std::vector<Reader> readers;
    std::set<std::string> plain;
    std::set<std::string> group;
    // When the cut was made.
    std::map<std::string, std::set<std::string>> seen;
    std::map<uint32_t, Part> parts;
    bool is_made = false;
  };

  void later();
  void step();
  void begin();
  void go_on();
  void read();
  void add(const proto::BackupPortion& portion);

  void restore();
  void check_marks();
  void check_restored(const Devices& restored);
  void check_readers(const Devices& restored);
  void check_group(const Devices& restored);
  void violate(const std::string& what) { cluster_.violations.push_back("restored: " + what); }

  StoreCluster& cluster_;
  Devices& devices_;
  std::unique_ptr<Taking> taking_;
  uint64_t restored_ = 0;
};

}  // namespace shoal::replica::test
