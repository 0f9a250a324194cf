// The ordered keys and values that a shard's state is kept in: a map in memory for tests and the
// simulator, RocksDB in cluster/storage.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace shoal::shard {

class KeyValues {
 public:
  // Returns whether to go on. It changes nothing here, and keeps no view.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~KeyValues() = default;
  // False when there is none.
  virtual bool get(std::string_view key, std::string& value) const = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  // Of a key that is known not to be there.
  virtual void add(std::string_view key, std::string_view value) { put(key, value); }
  virtual void remove(std::string_view key) = 0;
  // All from `begin` to before `end`, ascending byte by byte; an empty `end` is behind all.
  virtual void scan(std::string_view begin, std::string_view end, const Visit& visit) const = 0;
  // False once anything could not be read: what was answered since then means nothing, and nothing
  // that was written since may be kept.
  virtual bool is_healthy() const { return true; }
};

class MemoryKeyValues : public KeyValues {
 public:
  bool get(std::string_view key, std::string& value) const override;
  void put(std::string_view key, std::string_view value) override;
  void remove(std::string_view key) override;
  void scan(std::string_view begin, std::string_view end, const Visit& visit) const override;

  size_t size() const { return map_.size(); }
  bool operator==(const MemoryKeyValues& other) const { return map_ == other.map_; }

 private:
  std::map<std::string, std::string, std::less<>> map_;
};

}  // namespace shoal::shard
