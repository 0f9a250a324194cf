#include "node/auth/scram.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/auth/scram_client.h"

namespace shoal {
namespace {

using Outcome = ScramServer::Outcome;

// RFC 7677, 3.
constexpr const char* kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr const char* kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr const char* kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr const char* kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr const char* kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramCredential pencil(std::string_view) {
  return scram_credential_of("pencil", *base64_decoded("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
}

ScramServer server() { return ScramServer(kServerNonce, pencil); }

TEST(Scram, TheExchangeOfTheRfc) {
  ScramServer scram = server();
  const auto first = scram.on_message(kClientFirst);
  EXPECT_EQ(first.outcome, Outcome::kContinue);
  EXPECT_EQ(first.reply, kServerFirst);
  EXPECT_EQ(scram.user(), "user");
  const auto final = scram.on_message(kClientFinal);
  EXPECT_EQ(final.outcome, Outcome::kSuccess);
  EXPECT_EQ(final.reply, kServerFinal);
  // Nothing follows.
  EXPECT_EQ(scram.on_message(kClientFinal).outcome, Outcome::kFailure);
  EXPECT_EQ(scram.on_message(kClientFirst).outcome, Outcome::kFailure);
}

std::string client_final_of(const std::string& gs2_header, const std::string& first_bare,
                            const std::string& server_first, const std::string& extensions = "") {
  ScramClient client;
  client.gs2_header = gs2_header;
  client.first_bare = first_bare;
  client.password = "pencil";
  return client.final_of(server_first, extensions);
}

TEST(Scram, FirstMessages) {
  struct Case {
    const char* header;
    const char* bare;
    const char* user;   // nullptr: refused
    const char* error;  // of those refused
  };
  const Case cases[] = {
      {"n,,", "n=user,r=abc", "user", nullptr},
      {"y,,", "n=user,r=abc", "user", nullptr},
      {"n,a=user,", "n=user,r=abc", "user", nullptr},
      {"n,,", "n=a=2Cb=3Dc,r=abc", "a,b=c", nullptr},
      {"n,,", "n=gr\xc3\xbc\xc3\x9f,r=abc", "gr\xc3\xbc\xc3\x9f", nullptr},
      {"n,,", "n=user,r=abc,x=more,y=even", "user", nullptr},
      {"p=tls-unique,,", "n=user,r=abc", nullptr, "e=channel-binding-not-supported"},
      {"n,a=other,", "n=user,r=abc", nullptr, "e=other-error"},
      {"n,other,", "n=user,r=abc", nullptr, "e=other-error"},
      {"x,,", "n=user,r=abc", nullptr, "e=other-error"},
      {"", "", nullptr, "e=other-error"},
      {"n", "", nullptr, "e=other-error"},
      {"n,", "n=user", nullptr, "e=other-error"},
      {"n,,", "", nullptr, "e=invalid-username-encoding"},
      {"n,,", "n=,r=abc", nullptr, "e=invalid-username-encoding"},
      {"n,,", "n=a=b,r=abc", nullptr, "e=invalid-username-encoding"},
      {"n,,", "n=a=2c,r=abc", nullptr, "e=invalid-username-encoding"},
      {"n,,", "n=a=,r=abc", nullptr, "e=invalid-username-encoding"},
      {"n,,", "r=abc,n=user", nullptr, "e=invalid-username-encoding"},
      {"n,,", "m=x,n=user,r=abc", nullptr, "e=extensions-not-supported"},
      {"n,,", "n=user", nullptr, "e=other-error"},
      {"n,,", "n=user,r=", nullptr, "e=other-error"},
      {"n,,", "n=user,r=a b", nullptr, "e=other-error"},
      {"n,,", "n=user,r=a\x7f", nullptr, "e=other-error"},
      {"n,,", "n=user,r=abc,junk", nullptr, "e=other-error"},
      {"n,,", "n=user,r=abc,1=x", nullptr, "e=other-error"},
  };
  for (const auto& [header, bare, user, error] : cases) {
    ScramServer scram = server();
    const auto first = scram.on_message(std::string(header) + bare);
    if (user == nullptr) {
      EXPECT_EQ(first.outcome, Outcome::kFailure) << header << bare;
      EXPECT_EQ(first.reply, error) << header << bare;
      continue;
    }
    ASSERT_EQ(first.outcome, Outcome::kContinue) << header << bare;
    EXPECT_EQ(scram.user(), user);
    const auto final = scram.on_message(client_final_of(header, bare, first.reply));
    EXPECT_EQ(final.outcome, Outcome::kSuccess) << header << bare;
  }
}

TEST(Scram, FinalMessagesThatAreRefused) {
  const std::string nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const std::string proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  const std::pair<std::string, const char*> cases[] = {
      {"", "e=other-error"},
      {kClientFirst, "e=other-error"},
      {"c=biws," + nonce, "e=other-error"},
      {"c=biws," + proof, "e=other-error"},
      {nonce + ",c=biws," + proof, "e=other-error"},
      {"c=eSws," + nonce + "," + proof, "e=channel-bindings-dont-match"},  // "y,," after "n,,"
      {"c=," + nonce + "," + proof, "e=channel-bindings-dont-match"},
      {"c=biws,r=rOprNGfwEbeRWgbNEkqO," + proof, "e=other-error"},
      {"c=biws," + nonce + "x," + proof, "e=other-error"},
      {"c=biws," + nonce + ",p=", "e=invalid-encoding"},
      {"c=biws," + nonce + ",p=dHzb", "e=invalid-encoding"},
      {"c=biws," + nonce + "," + proof + "=", "e=invalid-encoding"},
      {"c=biws," + nonce + "," + proof + ",x=y", "e=invalid-encoding"},
      {"c=biws," + nonce + ",junk," + proof, "e=other-error"},
      {"c=biws," + nonce + ",p=AAzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "e=invalid-proof"},
      {"c=biws," + nonce + ",p=" + base64_of(Bytes(32)), "e=invalid-proof"},
      // The right proof of another message.
      {"c=biws," + nonce + ",x=y," + proof, "e=invalid-proof"},
  };
  for (const auto& [message, error] : cases) {
    ScramServer scram = server();
    ASSERT_EQ(scram.on_message(kClientFirst).outcome, Outcome::kContinue);
    const auto step = scram.on_message(message);
    EXPECT_EQ(step.outcome, Outcome::kFailure) << message;
    EXPECT_EQ(step.reply, error) << message;
    EXPECT_EQ(scram.on_message(kClientFinal).outcome, Outcome::kFailure) << "after " << message;
  }
}

TEST(Scram, ExtensionsAreSignedToo) {
  ScramServer scram = server();
  const auto first = scram.on_message(kClientFirst);
  const auto final = scram.on_message(
      client_final_of("n,,", "n=user,r=rOprNGfwEbeRWgbNEkqO", first.reply, ",x=y"));
  EXPECT_EQ(final.outcome, Outcome::kSuccess);
}

}  // namespace
}  // namespace shoal
