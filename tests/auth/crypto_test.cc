#include "node/auth/crypto.h"

#include <gtest/gtest.h>

#include "shoal/byte_view.h"

namespace shoal {
namespace {

TEST(Crypto, Base64) {
  const std::pair<const char*, const char*> cases[] = {
      // RFC 4648, 10
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xff\xef\xbe", "/+++"},
  };
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(base64_of(bytes_of(plain)), encoded);
    const auto decoded = base64_decoded(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_EQ(std::string(decoded->begin(), decoded->end()), plain);
    std::string bare = encoded;
    while (bare.ends_with('=')) bare.pop_back();
    EXPECT_EQ(base64_of(bytes_of(plain), Padding::kAbsent), bare);
    EXPECT_EQ(base64_decoded(bare, Padding::kAbsent), decoded);
  }
}

TEST(Crypto, Base64ThatIsNotExact) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v====", "Z g=", "Zg==\n",
                           "Zm9v=", "=", "====", "Zm-_", "Zm\xc3\xa4="}) {
    EXPECT_FALSE(base64_decoded(text)) << text;
  }
  for (const char* text : {"Z", "Zh", "Zm9", "Zg==", "Zm9vY"}) {
    EXPECT_FALSE(base64_decoded(text, Padding::kAbsent)) << text;
  }
}

TEST(Crypto, EqualSecrets) {
  EXPECT_TRUE(is_equal_secret(bytes_of(""), bytes_of("")));
  EXPECT_TRUE(is_equal_secret(bytes_of("abc"), bytes_of("abc")));
  EXPECT_FALSE(is_equal_secret(bytes_of("abc"), bytes_of("abd")));
  EXPECT_FALSE(is_equal_secret(bytes_of("abc"), bytes_of("abcd")));
}

}  // namespace
}  // namespace shoal
