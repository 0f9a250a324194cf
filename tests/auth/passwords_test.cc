#include "node/auth/passwords.h"

#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <thread>

#include "node/auth/password_file.h"
#include "shoal/byte_view.h"

namespace shoal {
namespace {

// The first made by mosquitto_passwd 2.0.11, the second by Python's hashlib, the third and fourth
// are test vectors of the Argon2 reference implementation.
constexpr const char* kPbkdf2 =
    "$7$101$SikCCbUtJW0IrE8k$Is8c9sscW1pjeStxAwmKeiLcSvNO+cDDNsraBy+mUAh95dqsco37npdHhlI8+UeT2zoaQx"
    "znRwt2XQHpXOidKw==";
constexpr const char* kSha512 =
    "$6$MDEyMzQ1Njc4OWFi$qEXipeLbgxRlwd06QHfY5WITkUZg0jLg9SZbXzq3ifXjfj+v3GbJGrSfC5PAg3UNCS+UFfbhUI"
    "ZX4bmIAs330w==";
constexpr const char* kArgon2id =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
constexpr const char* kArgon2idTwoLanes =
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
constexpr const char* kScram =
    "$scram-sha-256$4096$MDEyMzQ1Njc4OWFiY2RlZg==$bpSY5Ze9NUH+I35LC3gVq+DpBfK46iXBxvhAKqVu9pE=$"
    "VpYlBuxyzeCI1KnctrefdljpB1mk3Gp7sBI/t11+NkQ=";

Passwords users_of(std::string_view text) {
  auto result = Passwords::parse(text);
  if (const auto* errors = std::get_if<LineErrors>(&result)) {
    ADD_FAILURE() << errors->front().text("file");
    return std::get<Passwords>(Passwords::parse(""));
  }
  return std::get<Passwords>(std::move(result));
}

TEST(PasswordHashTest, EveryFormMatchesItsPasswordOnly) {
  const std::pair<const char*, const char*> cases[] = {
      {kPbkdf2, "secret"},
      {kSha512, "secret"},
      {kScram, "secret"},
      {kArgon2id, "password"},
      {kArgon2idTwoLanes, "password"},
  };
  for (const auto& [text, password] : cases) {
    const auto hash = PasswordHash::parse(text);
    ASSERT_TRUE(std::holds_alternative<PasswordHash>(hash)) << text;
    const auto& good = std::get<PasswordHash>(hash);
    EXPECT_TRUE(good.matches(password)) << text;
    for (const std::string& wrong :
         {std::string(), std::string("Secret"), std::string(password) + "x",
          std::string(password).substr(1), std::string(65535, 'x')}) {
      EXPECT_FALSE(good.matches(wrong)) << text << " " << wrong.substr(0, 10);
    }
    EXPECT_EQ(good.scram() != nullptr, text == kScram);
  }
}

TEST(PasswordHashTest, WhatWeWriteWeRead) {
  const std::string salt = "0123456789abcdef";
  for (const std::string& password : {std::string("p"), std::string("gr\xc3\xbc\xc3\x9f dich"),
                                      std::string("a\0b", 3), std::string(1000, 'x')}) {
    const std::string texts[] = {
        argon2id_text_of(password, bytes_of(salt), {.memory_kib = 64, .passes = 1}),
        scram_text_of(scram_credential_of(password, bytes_of(salt), 4096)),
    };
    for (const std::string& text : texts) {
      const auto hash = PasswordHash::parse(text);
      ASSERT_TRUE(std::holds_alternative<PasswordHash>(hash)) << text;
      EXPECT_TRUE(std::get<PasswordHash>(hash).matches(password)) << text;
      EXPECT_FALSE(std::get<PasswordHash>(hash).matches(password + "x")) << text;
    }
  }
  EXPECT_EQ(argon2id_text_of("password", bytes_of("somesalt"), {256, 2, 1}), kArgon2id);
  EXPECT_EQ(scram_text_of(scram_credential_of("secret", bytes_of(salt), 4096)), kScram);
  EXPECT_TRUE(argon2id_text_of("x", bytes_of(salt)).starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

TEST(PasswordHashTest, DamagedOrTooCostlyIsRefused) {
  const std::string kHash64 = base64_of(Bytes(64));
  const std::string kHash32 = base64_of(Bytes(32));
  const std::string kBare32 = base64_of(Bytes(32), Padding::kAbsent);
  const std::string cases[] = {
      "",
      "secret",
      "$",
      "$$",
      "$1$abc$def",
      "$6$",
      "$6$MDEy",
      "$6$MDEy$" + kHash32,
      "$6$$" + kHash64,
      "$6$MDEy$" + kHash64 + "$",
      "$6$M!Ey$" + kHash64,
      "$7$101$MDEy",
      "$7$0$MDEy$" + kHash64,
      "$7$-1$MDEy$" + kHash64,
      "$7$10000001$MDEy$" + kHash64,
      "$7$99999999999999999999$MDEy$" + kHash64,
      "$7$101$MDEy$" + kHash64.substr(4),
      "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
      "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$" + kBare32,
      "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$" + kBare32,  // 4 GiB a login
      "$argon2id$v=19$m=256,t=4294967295,p=1$c29tZXNhbHQ$" + kBare32,
      "$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$" + kBare32,
      "$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHQ$" + kBare32,
      "$argon2id$v=19$m=256,t=2,p=33$c29tZXNhbHQ$" + kBare32,  // 8 KiB a lane at least
      "$argon2id$v=19$m=256,t=2,p=0$c29tZXNhbHQ$" + kBare32,
      "$argon2id$v=19$t=2,m=256,p=1$c29tZXNhbHQ$" + kBare32,
      "$argon2id$v=19$m=256,t=2,p=1$c2FsdA$" + kBare32,  // 4 bytes of salt
      "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$" + kBare32 + "=",
      "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$" + kBare32,
      "$scram-sha-256$4095$MDEyMzQ1Njc4OWFi$" + kHash32 + "$" + kHash32,
      "$scram-sha-256$4096$MDEy$" + kHash32 + "$" + kHash32,
      "$scram-sha-256$4096$MDEyMzQ1Njc4OWFi$" + kHash32,
      "$scram-sha-256$4096$MDEyMzQ1Njc4OWFi$" + kHash32 + "$" + kHash64,
      "$2b$10$abcdefghijklmnopqrstuuJ1Zr5ZQ0ZQ0ZQ0ZQ0ZQ0ZQ0ZQ0ZQ0",
  };
  for (const std::string& text : cases) {
    EXPECT_TRUE(std::holds_alternative<std::string>(PasswordHash::parse(text))) << text;
  }
}

TEST(PasswordsTest, VerifiesUsersOfAllForms) {
  const Passwords users =
      users_of(std::string("# a comment\n\n  old : ") + kPbkdf2 + "  \r\nolder:" + kSha512 +
               "\nnew:" + kArgon2id + "\nscram:" + kScram);
  EXPECT_EQ(users.size(), 4u);
  EXPECT_TRUE(users.verify("old", "secret"));
  EXPECT_TRUE(users.verify("older", "secret"));
  EXPECT_TRUE(users.verify("new", "password"));
  EXPECT_TRUE(users.verify("scram", "secret"));
  EXPECT_FALSE(users.verify("new", "secret"));
  EXPECT_FALSE(users.verify("OLD", "secret"));
  EXPECT_FALSE(users.verify("", "secret"));
  EXPECT_FALSE(users.verify("# a comment", ""));
  // Whoever an unknown name is checked against, its password does not let the name in.
  for (int i = 0; i < 50; ++i) {
    const std::string name = "unknown" + std::to_string(i);
    EXPECT_FALSE(users.verify(name, "secret"));
    EXPECT_FALSE(users.verify(name, "password"));
  }
  EXPECT_FALSE(users_of("").verify("old", "secret"));
}

TEST(PasswordsTest, ErrorsNameTheirLines) {
  const auto result = Passwords::parse(std::string("a:") + kSha512 + "\nno colon\n:" + kSha512 +
                                       "\nplain:secret\n# fine\na:" + kArgon2id + "\nb\x01:x\n");
  const auto& errors = std::get<LineErrors>(result);
  std::vector<std::string> texts;
  for (const LineError& error : errors) texts.push_back(error.text("pw"));
  EXPECT_EQ(texts, (std::vector<std::string>{
                       "pw:2: expected USER:HASH, found no \":\"",
                       "pw:3: a user name must not be empty",
                       "pw:4: user \"plain\": expected a hashed password such as `shoal passwd` "
                       "writes, not a plain one",
                       "pw:6: user \"a\" is on line 1 already",
                       "pw:7: a user name must not contain control characters",
                   }));
  const auto twice =
      Passwords::parse(std::string("a:") + kSha512 + "\nb:" + kSha512 + "\na:" + kArgon2id + "\n");
  EXPECT_EQ(std::get<LineErrors>(twice), (LineErrors{{3, "user \"a\" is on line 1 already"}}));
}

TEST(PasswordsTest, UserNames) {
  const std::string good[] = {"alice", "a b", "gr\xc3\xbc\xc3\x9f",
                              "$x",    "a#b", std::string(65535, 'x')};
  for (const std::string& name : good) EXPECT_EQ(user_name_fault(name), nullptr) << name;
  const std::string bad[] = {"",
                             "a:b",
                             ":",
                             "#a",
                             " a",
                             "a\n",
                             "a\r",
                             "a\x7f",
                             "\t",
                             std::string("a\0", 2),
                             std::string(65536, 'x')};
  for (const std::string& name : bad) EXPECT_NE(user_name_fault(name), nullptr) << name;
}

int64_t thread_time_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// The time of a refused login must not tell whether the user exists. Processor time, because that
// is what a busy machine does not blur.
TEST(PasswordsTest, AnUnknownUserCostsAsMuchAsAWrongPassword) {
  const std::string slow =
      argon2id_text_of("password", bytes_of("0123456789abcdef"), {.memory_kib = 4096, .passes = 3});
  const Passwords users = users_of("a:" + slow + "\nb:" + slow + "\n");
  const auto cost_ns = [&users](const char* user) {
    const int64_t start = thread_time_ns();
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(users.verify(user, "wrong"));
    return thread_time_ns() - start;
  };
  const auto known = cost_ns("a");
  const auto unknown = cost_ns("nobody");
  EXPECT_LT(unknown, known * 2);
  EXPECT_LT(known, unknown * 2);
}

TEST(PasswordsTest, VerifiesOnManyThreads) {
  const Passwords users = users_of(std::string("old:") + kPbkdf2 + "\nnew:" + kArgon2id);
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5; ++k) {
        right += users.verify("old", "secret") && users.verify("new", "password") &&
                 !users.verify("new", "secret") && !users.verify("x", "secret");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 20);
}

TEST(PasswordsTest, UnknownUsersHaveSteadyScramDecoys) {
  const std::string text = std::string("s:") + kScram + "\nold:" + kPbkdf2 + "\n";
  const Passwords users = users_of(text);
  const ScramCredential decoy = users.scram_of("nobody");
  EXPECT_EQ(decoy, users_of(text).scram_of("nobody"));
  EXPECT_EQ(decoy.iterations, 4096u);
  EXPECT_EQ(decoy.salt.size(), users.scram_of("s").salt.size());
  EXPECT_NE(decoy.salt, users.scram_of("nobody2").salt);
  EXPECT_NE(decoy.salt, users_of(text + "# other\n").scram_of("nobody").salt);
  EXPECT_FALSE(is_scram_password(users.scram_of("old"), "secret"));  // has no SCRAM line
  EXPECT_TRUE(is_scram_password(users.scram_of("s"), "secret"));
}

TEST(PasswordFile, Edits) {
  struct Case {
    const char* before;
    const char* user;
    const char* with;
    const char* without;  // nullptr: there is no such user
  };
  const Case cases[] = {
      {"", "a", "a:H\n", nullptr},
      {"a:1\n", "a", "a:H\n", ""},
      {"a:1", "a", "a:H\n", ""},
      {"b:1", "a", "b:1\na:H\n", nullptr},
      {"# c\n\nb:1\na:2\nc:3\n", "a", "# c\n\nb:1\na:H\nc:3\n", "# c\n\nb:1\nc:3\n"},
      {"#a:1\nab:1\n", "a", "#a:1\nab:1\na:H\n", nullptr},
      {" a : 1\r\na:2\n", "a", "a:H\n", ""},
      {"a\n", "a", "a\na:H\n", nullptr},
  };
  for (const auto& [before, user, with, without] : cases) {
    EXPECT_EQ(with_user(before, user, "H"), with) << before;
    const auto removed = without_user(before, user);
    ASSERT_EQ(removed.has_value(), without != nullptr) << before;
    if (removed) EXPECT_EQ(*removed, without) << before;
  }
}

}  // namespace
}  // namespace shoal
