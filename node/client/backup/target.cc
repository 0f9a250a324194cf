#include "node/client/backup/target.h"

#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "node/client/backup/directory_target.h"
#include "node/client/backup/s3_target.h"

namespace shoal::backup {
namespace {

constexpr std::string_view kS3 = "s3://";

std::string first_of(std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Target>> target_of(const std::string& text, const S3Options& s3) {
  if (!text.starts_with(kS3)) return make_directory_target(text);
  const std::string key = first_of({"AWS_ACCESS_KEY_ID", "SCW_ACCESS_KEY"});
  const std::string secret = first_of({"AWS_SECRET_ACCESS_KEY", "SCW_SECRET_KEY"});
  if (key.empty() || secret.empty()) {
    return absl::InvalidArgumentError(text +
                                      ": no keys in the environment: AWS_ACCESS_KEY_ID and "
                                      "AWS_SECRET_ACCESS_KEY, or SCW_ACCESS_KEY "
                                      "and SCW_SECRET_KEY");
  }
  return make_s3_target(text, s3, {key, secret, first_of({"AWS_SESSION_TOKEN"})});
}

}  // namespace shoal::backup
