// Where backups are kept: named objects, as a directory or an S3 bucket has them.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace shoal::backup {

struct StoredObject {
  std::string name;
  uint64_t size = 0;
};

// Names are words of letters, digits and -._ between slashes. Every error names the object and the
// target. One thread.
class Target {
 public:
  virtual ~Target() = default;
  virtual std::string text() const = 0;  // as the user gave it
  // Whole and durable when it returns, or not there; what had the name is replaced.
  virtual absl::Status put(const std::string& name, const std::string& bytes) = 0;
  // Nothing: there is no such object.
  virtual absl::StatusOr<std::optional<std::string>> get(const std::string& name) = 0;
  // All whose names begin with `prefix`, which ends with a slash.
  virtual absl::StatusOr<std::vector<StoredObject>> list(const std::string& prefix) = 0;
  // No error where there is none.
  virtual absl::Status remove(const std::string& name) = 0;
};

struct S3Options {
  std::string endpoint;  // empty: Scaleway's of the region
  std::string region = "fr-par";
  std::string ca_file;  // empty: the system's authorities
};

// `text`: a directory, or s3://BUCKET[/PREFIX]. An S3 target takes its keys from the environment:
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or SCW_ACCESS_KEY and SCW_SECRET_KEY.
absl::StatusOr<std::unique_ptr<Target>> target_of(const std::string& text, const S3Options& s3);

}  // namespace shoal::backup
