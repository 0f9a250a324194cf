// A ShardDisk in memory: what was committed and is flushed survives a crash, the rest does not.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "cluster/shard/shard_disk.h"

namespace shoal::replica::test {

class MemoryDisk : public shard::ShardDisk {
 public:
  // `durable` outlives this.
  explicit MemoryDisk(shard::MemoryKeyValues& durable)
      : durable_(durable), values_(std::make_shared<shard::MemoryKeyValues>(durable)) {}

  void flush() { durable_ = *values_; }
  // What a test put there itself.
  void reload() { *values_ = durable_; }

  std::unique_ptr<shard::ShardKeys> keys() override { return std::make_unique<Keys>(values_); }
  std::unique_ptr<shard::StateReader> reader() override {
    return std::make_unique<Reader>(*values_);
  }
  std::unique_ptr<shard::StateInstall> install() override {
    return std::make_unique<Install>(*this);
  }

 private:
  class Keys : public shard::ShardKeys {
   public:
    explicit Keys(std::shared_ptr<shard::MemoryKeyValues> committed)
        : committed_(std::move(committed)), values_(*committed_) {}
    bool get(std::string_view key, std::string& value) const override {
      return values_.get(key, value);
    }
    void put(std::string_view key, std::string_view value) override {
      values_.put(key, value);
      changed_.emplace(key);
    }
    void remove(std::string_view key) override {
      values_.remove(key);
      changed_.emplace(key);
    }
    void scan(std::string_view begin, std::string_view end, const Visit& visit) const override {
      values_.scan(begin, end, visit);
    }
    absl::Status commit() override {
      for (const std::string& key : std::exchange(changed_, {})) {
        std::string value;
        if (values_.get(key, value)) {
          committed_->put(key, value);
        } else {
          committed_->remove(key);
        }
      }
      return absl::OkStatus();
    }
    size_t uncommitted() const override { return 8'192 * changed_.size(); }  // often too many

   private:
    std::shared_ptr<shard::MemoryKeyValues> committed_;
    shard::MemoryKeyValues values_;
    std::set<std::string> changed_;
  };
  class Reader : public shard::StateReader {
   public:
    explicit Reader(const shard::MemoryKeyValues& values) : values_(values) {}
    absl::StatusOr<shard::StatePortion> portion(std::string_view after, size_t) override {
      return shard::read_portion(values_, after, 2'000);  // so that there are many
    }

   private:
    const shard::MemoryKeyValues values_;
  };
  class Install : public shard::StateInstall {
   public:
    explicit Install(MemoryDisk& disk) : disk_(disk) {}
    absl::Status add(const shard::StatePortion& portion) override {
      for (const auto& [key, value] : portion.items) copy_->put(key, value);
      return absl::OkStatus();
    }
    absl::Status finish() override {
      disk_.values_ = copy_;
      disk_.flush();
      return absl::OkStatus();
    }

   private:
    MemoryDisk& disk_;
    std::shared_ptr<shard::MemoryKeyValues> copy_ = std::make_shared<shard::MemoryKeyValues>();
  };

  shard::MemoryKeyValues& durable_;
  std::shared_ptr<shard::MemoryKeyValues> values_;
};

}  // namespace shoal::replica::test
