// AWS Signature Version 4, as S3 wants it. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace shoal::backup {

struct S3Keys {
  std::string id;
  std::string secret;
  std::string token;  // of keys that hold for a while; else empty
};

struct S3Request {
  std::string method;
  std::string path;                          // not encoded, from the first slash on
  std::map<std::string, std::string> query;  // not encoded
  // In small letters, all that are to be signed: host, x-amz-date ("20130524T000000Z") and
  // x-amz-content-sha256 among them.
  std::map<std::string, std::string> headers;
};

// The value of the header Authorization.
std::string s3_authorization(const S3Keys& keys, const std::string& region,
                             const S3Request& request);
// Path and query as they are sent, and signed.
std::string s3_request_target(const S3Request& request);

}  // namespace shoal::backup
