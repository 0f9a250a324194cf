// A ShardDisk in memory: what is flushed survives a crash, the rest does not.
#pragma once

#include <memory>
#include <utility>

#include "cluster/shard/shard_disk.h"

namespace shoal::replica::test {

class MemoryDisk : public shard::ShardDisk {
 public:
  // `durable` outlives this.
  explicit MemoryDisk(shard::MemoryKeyValues& durable)
      : durable_(durable), values_(std::make_shared<shard::MemoryKeyValues>(durable)) {}

  void flush() { durable_ = *values_; }

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
    explicit Keys(std::shared_ptr<shard::MemoryKeyValues> values) : values_(std::move(values)) {}
    bool get(std::string_view key, std::string& value) const override {
      return values_->get(key, value);
    }
    void put(std::string_view key, std::string_view value) override { values_->put(key, value); }
    void remove(std::string_view key) override { values_->remove(key); }
    void scan(std::string_view begin, std::string_view end, const Visit& visit) const override {
      values_->scan(begin, end, visit);
    }
    absl::Status commit() override { return absl::OkStatus(); }

   private:
    std::shared_ptr<shard::MemoryKeyValues> values_;
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
