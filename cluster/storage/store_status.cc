#include "cluster/storage/store_status.h"

namespace shoal::storage {

namespace {

class NoInfoLog : public rocksdb::Logger {
 public:
  NoInfoLog() : Logger(rocksdb::InfoLogLevel::HEADER_LEVEL) {}
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

std::shared_ptr<rocksdb::Logger> no_info_log() { return std::make_shared<NoInfoLog>(); }

absl::Status to_status(const rocksdb::Status& from, const std::string& what) {
  if (from.ok()) return absl::OkStatus();
  const std::string text = what + ": " + from.ToString();
  if (from.IsCorruption()) return absl::DataLossError(text);
  if (from.IsNoSpace()) return absl::ResourceExhaustedError(text);
  if (from.IsNotFound()) return absl::NotFoundError(text);
  return absl::UnavailableError(text);
}

}  // namespace shoal::storage
