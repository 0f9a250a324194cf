// A target in memory, and a node that gives a backup of what a test says.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "node/client/backup/making.h"
#include "node/client/backup/source.h"
#include "node/client/backup/target.h"

namespace shoal::backup::test {

using Pairs = std::map<std::string, std::string>;

class MemoryTarget : public Target {
 public:
  std::string text() const override { return "memory"; }
  absl::Status put(const std::string& name, const std::string& bytes) override {
    if (fails_at == name.substr(0, fails_at.size()) && !fails_at.empty()) {
      return absl::UnavailableError("memory: " + name + ": full");
    }
    objects[name] = bytes;
    ++puts;
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<std::string>> get(const std::string& name) override {
    const auto found = objects.find(name);
    if (found == objects.end()) return std::nullopt;
    return std::optional<std::string>(found->second);
  }
  absl::StatusOr<std::vector<StoredObject>> list(const std::string& prefix) override {
    std::vector<StoredObject> found;
    for (const auto& [name, bytes] : objects) {
      if (name.starts_with(prefix)) found.push_back({name, bytes.size()});
    }
    return found;
  }
  absl::Status remove(const std::string& name) override {
    objects.erase(name);
    return absl::OkStatus();
  }

  std::map<std::string, std::string> objects;
  std::string fails_at;  // the beginning of a name
  int puts = 0;
};

class FakeSource : public Source {
 public:
  absl::StatusOr<Begun> begin() override {
    Begun begun;
    begun.of.wall_ms = wall_ms;
    begun.of.cluster = "00000000000000aa00000000000000bb";
    begun.of.seed = 77;
    begun.of.shards = static_cast<uint32_t>(shards.size());
    begun.of.replicas = 3;
    begun.of.software = "test";
    begun.of.protocol = 2;
    begun.of.members = {{1, "n1", 4}, {2, "n2", 5}};
    cut();
    return begun;
  }
  absl::StatusOr<proto::BackupPortion> portion(uint64_t number) override {
    if (number == lost_at) return absl::UnavailableError("the leader of shard 1 is gone");
    return portions.at(number - 1);
  }
  void end() override { ++ends; }

  std::vector<Pairs> shards;
  Pairs retained;
  int64_t wall_ms = 1'790'000'000'000;
  uint64_t lost_at = 0;
  int ends = 0;
  std::vector<proto::BackupPortion> portions;  // as of begin(); a test may change them
  std::function<void(std::vector<proto::BackupPortion>&)> spoil = [](auto&) {};

 private:
  static constexpr size_t kPortionKeys = 100;

  void cut() {
    portions.clear();
    for (size_t shard = 0; shard < shards.size(); ++shard) {
      auto at = shards[shard].begin();
      do {
        proto::BackupPortion& portion = portions.emplace_back();
        portion.set_shard(static_cast<uint32_t>(shard));
        portion.set_index(100 + shard);
        portion.set_term(7);
        for (size_t i = 0; i < kPortionKeys && at != shards[shard].end(); ++i, ++at) {
          portion.add_keys(at->first);
          portion.add_values(at->second);
        }
        portion.set_shard_done(at == shards[shard].end());
      } while (!portions.back().shard_done());
    }
    for (const auto& [topic, record] : retained) {
      auto* const one = portions.emplace_back().add_retained();
      one->set_topic(topic);
      one->set_record(record);
    }
    portions.emplace_back().set_end(true);
    spoil(portions);
  }
};

inline absl::StatusOr<Made> make(FakeSource& source, Target& target, const std::string& name) {
  Progress progress(Progress::Kind::kNone, "backup");
  return make_backup(source, target, name, progress);
}

}  // namespace shoal::backup::test
