// The retained messages of a node on disk: a text for each topic, the writer's own, and one beside them.
// What was written is durable when write() returns.
//
// An error stays: from then on every call answers with the first one, and nothing more is written.
//
// One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "cluster/storage/log_store.h"

namespace shoal::storage {

class RetainedStore {
 public:
  struct Change {
    enum class Kind : uint8_t { kPut, kErase, kEraseAll, kNote };
    Kind kind = Kind::kPut;
    std::string topic;  // of the first two
    std::string value;  // of kPut and kNote
  };

  // Makes `directory` if it is not there; its parent is.
  static absl::StatusOr<std::unique_ptr<RetainedStore>> open(const std::string& directory,
                                                             Durability durability);
  ~RetainedStore();

  // In the order of the topics' bytes. False of `visit`: the value makes no sense.
  absl::Status load(
      const std::function<bool(std::string_view topic, std::string_view value)>& visit);
  absl::StatusOr<std::string> note();  // the last kNote; empty: none
  // All of it or nothing, in order.
  absl::Status write(std::span<const Change> changes);

 private:
  struct Database;
  explicit RetainedStore(std::unique_ptr<Database> database);
  const std::unique_ptr<Database> database_;
};

}  // namespace shoal::storage
