#include <unistd.h>

#include "node/auth/passwords.h"
#include "node/cli/commands.h"
#include "tests/cli/ran.h"
#include "tests/cli/scratch.h"

namespace shoal {
namespace {

Ran passwd(const Args& args, const std::string& input, bool is_terminal = false) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int status = run_passwd(args, {in, is_terminal, out, err});
  return {status, out.str(), err.str()};
}

bool verifies(const std::string& file, const std::string& user, const std::string& password) {
  const auto users = Passwords::parse(Scratch::read(file));
  return std::holds_alternative<Passwords>(users) &&
         std::get<Passwords>(users).verify(user, password);
}

TEST(Passwd, MakesChangesAndRemoves) {
  const Scratch scratch;
  const std::string file = scratch.path("users");
  EXPECT_EQ(passwd({file, "alice"}, "secret\n").status, 0);
  EXPECT_EQ(Scratch::mode_of(file), 0600u);
  EXPECT_TRUE(verifies(file, "alice", "secret"));
  EXPECT_EQ(Scratch::read(file).rfind("alice:$argon2id$v=19$m=19456,t=2,p=1$", 0), 0u);

  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  EXPECT_EQ(passwd({file, "bob", "--scram"}, "b b").status, 0);
  EXPECT_EQ(passwd({file, "alice"}, "changed\r\n").status, 0);
  EXPECT_EQ(Scratch::mode_of(file), 0640u);
  EXPECT_TRUE(verifies(file, "alice", "changed"));
  EXPECT_TRUE(verifies(file, "bob", "b b"));
  EXPECT_NE(Scratch::read(file).find("bob:$scram-sha-256$15000$"), std::string::npos);

  EXPECT_EQ(passwd({file, "alice", "-D"}, "").status, 0);
  EXPECT_FALSE(verifies(file, "alice", "changed"));
  EXPECT_TRUE(verifies(file, "bob", "b b"));
}

TEST(Passwd, EachHashHasItsOwnSalt) {
  const Scratch scratch;
  const std::string file = scratch.path("users");
  passwd({file, "a"}, "secret");
  const std::string first = Scratch::read(file);
  passwd({file, "a"}, "secret");
  EXPECT_NE(Scratch::read(file), first);
}

TEST(Passwd, AsksTwiceOnATerminal) {
  const Scratch scratch;
  const std::string file = scratch.path("users");
  const Ran good = passwd({file, "alice"}, "secret\nsecret\n", true);
  EXPECT_EQ(good.status, 0);
  EXPECT_EQ(good.err, "Password for alice: \nThe same again: \n");
  EXPECT_TRUE(verifies(file, "alice", "secret"));
  const Ran differing = passwd({file, "alice"}, "secret\nsecret2\n", true);
  EXPECT_EQ(differing.status, 2);
  EXPECT_NE(differing.err.find("shoal: alice: the two passwords differ\n"), std::string::npos);
  EXPECT_EQ(passwd({file, "alice"}, "x\n", true).status, 2);
  EXPECT_TRUE(verifies(file, "alice", "secret"));
}

TEST(Passwd, ReadsManyUsersAtOnce) {
  const Scratch scratch;
  const std::string file = scratch.write("users", "# ours\nold:$6$damaged\n");
  EXPECT_EQ(passwd({file}, "a:one\n# not this\n\nb:two:with colon\nold:three").status, 0);
  EXPECT_TRUE(verifies(file, "a", "one"));
  EXPECT_TRUE(verifies(file, "b", "two:with colon"));
  EXPECT_TRUE(verifies(file, "old", "three"));
  EXPECT_EQ(Scratch::read(file).rfind("# ours\nold:", 0), 0u);
}

TEST(Passwd, AMistakeChangesNothing) {
  const Scratch scratch;
  const std::string file = scratch.write("users", "kept:as it is\n");
  struct Case {
    Args args;
    std::string input;
    int status;
    std::string message;  // the first line
  };
  const Case cases[] = {
      {{}, "", 2, "shoal: passwd: expected FILE"},
      {{file, "-D"}, "", 2, "shoal: passwd: -D: expected FILE and USER"},
      {{file, "a:b"},
       "x",
       2,
       "shoal: passwd: USER: a user name must not contain \":\", got \"a:b\""},
      {{file, ""}, "x", 2, "shoal: passwd: USER: a user name must not be empty, got \"\""},
      {{file, "a", "--frob"},
       "x",
       2,
       "shoal: passwd: The following argument was not expected: --frob"},
      {{file, "a", "b"}, "x", 2, "shoal: passwd: The following argument was not expected: b"},
      {{file, "a"}, "", 2, "shoal: a: expected a password on standard input"},
      {{file, "a"}, "\n", 2, "shoal: a: a password must not be empty"},
      {{file, "a"}, std::string(65536, 'x'), 2, "shoal: a: a password has at most 65535 bytes"},
      {{file, "a", "--scram"},
       "gr\xc3\xbcn",
       2,
       "shoal: a: a password for SCRAM must be printable ASCII"},
      {{file, "a", "-D"}, "", 2, "shoal: " + file + ": has no user \"a\""},
      {{file}, "", 2, "shoal: standard input: expected lines of USER:PASSWORD"},
      {{file}, "a:x\nb\n", 2, "shoal: standard input:2: expected USER:PASSWORD"},
      {{file}, "a:x\nb:\n", 2, "shoal: standard input:2: a password must not be empty"},
      {{file}, ":x\n", 2, "shoal: standard input:1: a user name must not be empty"},
      {{scratch.path(""), "a"},
       "x",
       2,
       "shoal: " + scratch.path("") + ": cannot read: Is a directory"},
      {{scratch.path("none/users"), "a"},
       "x",
       1,
       "shoal: " + scratch.path("none/users") +
           ": cannot write beside it: No such file or directory"},
      {{scratch.path("none"), "a", "-D"},
       "",
       2,
       "shoal: " + scratch.path("none") + ": cannot read: No such file or directory"},
  };
  for (const auto& [args, input, status, message] : cases) {
    const Ran ran = passwd(args, input);
    EXPECT_EQ(ran.status, status) << message;
    EXPECT_EQ(ran.err.substr(0, ran.err.find('\n')), message);
    EXPECT_EQ(Scratch::read(file), "kept:as it is\n");
  }
  // On a terminal nobody types lines of users.
  EXPECT_EQ(passwd({file}, "a:x\n", true).status, 2);
  EXPECT_FALSE(std::filesystem::exists(scratch.path("none")));
}

TEST(Passwd, FollowsALinkAndLeavesNothingBeside) {
  const Scratch scratch;
  const std::string file = scratch.write("users", "");
  const std::string link = scratch.path("link");
  ASSERT_EQ(symlink("users", link.c_str()), 0);
  EXPECT_EQ(passwd({link, "a"}, "secret").status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_TRUE(verifies(file, "a", "secret"));
  const auto entries = std::filesystem::directory_iterator(scratch.path(""));
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 2);
}

TEST(Passwd, Help) {
  const Ran ran = passwd({"--help"}, "");
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out.rfind("usage: shoal passwd FILE USER", 0), 0u);
}

}  // namespace
}  // namespace shoal
