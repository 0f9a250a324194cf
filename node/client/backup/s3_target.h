// Backups in a bucket of an S3 server.
#pragma once

#include "node/client/backup/s3_signature.h"
#include "node/client/backup/target.h"

namespace shoal::backup {

// `text`: s3://BUCKET[/PREFIX]. Or what is wrong with it, or with the options.
absl::StatusOr<std::unique_ptr<Target>> make_s3_target(const std::string& text,
                                                       const S3Options& options, S3Keys keys);

// The value of the first <NAME>...</NAME> in `text` from `at` on, and where it ends; npos: none. What
// S3 answers is flat enough for it.
std::string xml_value_of(const std::string& text, const std::string& name, size_t& at);

}  // namespace shoal::backup
