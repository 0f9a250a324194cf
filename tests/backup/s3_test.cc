#include <gtest/gtest.h>

#include "node/client/backup/http_client.h"
#include "node/client/backup/s3_signature.h"
#include "node/client/backup/s3_target.h"

namespace shoal::backup {
namespace {

// The examples of Amazon's own description of the signature.
const S3Keys kExampleKeys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr char kNoBody[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature_of(const S3Request& request) {
  const std::string text = s3_authorization(kExampleKeys, "us-east-1", request);
  return text.substr(text.find("Signature=") + 10);
}

S3Request example(const std::string& method, const std::string& path) {
  return {method,
          path,
          {},
          {{"host", "examplebucket.s3.amazonaws.com"},
           {"x-amz-content-sha256", kNoBody},
           {"x-amz-date", "20130524T000000Z"}}};
}

TEST(S3Signature, OfAnObjectThatIsRead) {
  S3Request request = example("GET", "/test.txt");
  request.headers["range"] = "bytes=0-9";
  EXPECT_EQ(signature_of(request),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(S3Signature, OfAnObjectThatIsWritten) {
  S3Request request = example("PUT", "/test$file.text");
  request.headers["date"] = "Fri, 24 May 2013 00:00:00 GMT";
  request.headers["x-amz-storage-class"] = "REDUCED_REDUNDANCY";
  request.headers["x-amz-content-sha256"] =
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
  EXPECT_EQ(signature_of(request),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(s3_request_target(request), "/test%24file.text");
}

TEST(S3Signature, OfAList) {
  S3Request request = example("GET", "/");
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(signature_of(request),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  EXPECT_EQ(s3_request_target(request), "/?max-keys=2&prefix=J");
}

TEST(S3Target, WhatItIsGivenIsChecked) {
  const auto why = [](const std::string& text, const S3Options& options) {
    return std::string(make_s3_target(text, options, kExampleKeys).status().message());
  };
  EXPECT_EQ(why("s3://bucket", {}), "");
  EXPECT_EQ(why("s3://", {}), "expected s3://BUCKET[/PREFIX], got \"s3://\"");
  EXPECT_EQ(why("s3://b", {.endpoint = "ftp://x"}),
            "--s3-endpoint: expected https://HOST[:PORT], got \"ftp://x\"");
  EXPECT_EQ(why("s3://b", {.endpoint = "https://x/y"}),
            "--s3-endpoint: expected https://HOST[:PORT], got \"https://x/y\"");
}

TEST(HttpEndpoints, AreRead) {
  const auto text = [](const std::string& url) {
    const auto endpoint = http_endpoint_of(url);
    if (!endpoint.ok()) return std::string("none");
    return (endpoint->is_tls ? "tls " : "") + endpoint->host + " " +
           std::to_string(endpoint->port) + " " + endpoint->host_header();
  };
  EXPECT_EQ(text("https://s3.fr-par.scw.cloud"), "tls s3.fr-par.scw.cloud 443 s3.fr-par.scw.cloud");
  EXPECT_EQ(text("http://127.0.0.1:9000/"), "127.0.0.1 9000 127.0.0.1:9000");
  EXPECT_EQ(text("https://[::1]"), "tls ::1 443 [::1]");
  EXPECT_EQ(text("https://[::1]:9000"), "tls ::1 9000 [::1]:9000");
  EXPECT_EQ(text("https://"), "none");
  EXPECT_EQ(text("bucket.example"), "none");
}

TEST(Xml, ValuesAreFoundInOrder) {
  const std::string text = "<a><Key>x</Key><Key>y</Key></a>";
  size_t at = 0;
  EXPECT_EQ(xml_value_of(text, "Key", at), "x");
  EXPECT_EQ(xml_value_of(text, "Key", at), "y");
  EXPECT_EQ(xml_value_of(text, "Key", at), "");
  EXPECT_EQ(at, std::string::npos);
}

}  // namespace
}  // namespace shoal::backup
