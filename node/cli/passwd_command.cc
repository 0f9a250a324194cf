// `shoal passwd`: makes, changes and removes users of a password file.
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <istream>
#include <optional>
#include <ostream>

#include "node/auth/password_file.h"
#include "node/auth/passwords.h"
#include "node/cli/commands.h"
#include "node/config/files.h"

namespace shoal {
namespace {

constexpr std::string_view kUsageText = R"(usage: shoal passwd FILE USER [-D] [--scram]
       shoal passwd FILE < USERS

Sets the password of a user in a file for --password-file; makes the file if it is missing.
The password is asked for, twice; where standard input is no terminal, its first line is it.
Without USER, lines of USER:PASSWORD are read from standard input.

  -D, --delete   remove the user
  --scram        store what SCRAM-SHA-256 needs (MQTT 5.0's enhanced authentication) instead of
                 argon2id; the user can log in with a plain password too
)";
constexpr uint32_t kScramIterations = 15'000;
constexpr size_t kPasswordMax = 65'535;  // MQTT's field for it

struct PasswdOptions {
  std::string file;
  std::string user;
  bool is_delete = false;
  bool is_scram = false;
  bool wants_help = false;
};

std::variant<PasswdOptions, std::string> passwd_options_of(const Args& args) {
  PasswdOptions options;
  CLI::App app;
  app.set_help_flag();
  app.add_option("FILE", options.file);
  app.add_option("USER", options.user);
  app.add_flag("-D,--delete", options.is_delete);
  app.add_flag("--scram", options.is_scram);
  app.add_flag("-h,--help", options.wants_help);
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    return std::string(error.what());
  }
  if (options.wants_help) return options;
  if (options.file.empty()) return "expected FILE";
  if (options.is_delete && options.user.empty()) return "-D: expected FILE and USER";
  if (app.count("USER") > 0) {
    if (const char* fault = user_name_fault(options.user)) {
      return "USER: " + std::string(fault) + ", got \"" + options.user + "\"";
    }
  }
  return options;
}

// Turns off a terminal's echo while it lives.
class EchoOff {
 public:
  EchoOff() {
    was_read_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!was_read_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~EchoOff() {
    if (was_read_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  termios before_{};
  bool was_read_ = false;
};

std::optional<std::string> read_line(std::istream& in) {
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::optional<std::string> ask_silently(const std::string& prompt, Streams streams) {
  const EchoOff silent;
  streams.err << prompt << std::flush;
  auto line = read_line(streams.in);
  streams.err << "\n";
  return line;
}

// An empty error means that there is a password.
struct Asked {
  std::string password;
  std::string error;
};
Asked ask_password(const std::string& user, Streams streams) {
  if (!streams.is_in_terminal) {
    auto line = read_line(streams.in);
    return line ? Asked{std::move(*line), {}} : Asked{{}, "expected a password on standard input"};
  }
  const auto first = ask_silently("Password for " + user + ": ", streams);
  const auto second = first ? ask_silently("The same again: ", streams) : std::nullopt;
  if (!second) return {{}, "no password was given"};
  if (*first != *second) return {{}, "the two passwords differ"};
  return {*first, {}};
}

const char* password_fault(std::string_view password, bool is_scram) {
  if (password.empty()) return "a password must not be empty";
  if (password.size() > kPasswordMax) return "a password has at most 65535 bytes";
  const bool is_ascii =
      std::all_of(password.begin(), password.end(), [](char c) { return c >= ' ' && c <= '~'; });
  // Beyond ASCII client and server would have to agree on SASLprep's normal forms.
  if (is_scram && !is_ascii) return "a password for SCRAM must be printable ASCII";
  return nullptr;
}

std::string hash_text_of(std::string_view password, bool is_scram) {
  std::array<uint8_t, 16> salt;
  if (RAND_bytes(salt.data(), salt.size()) != 1) return {};
  return is_scram ? scram_text_of(scram_credential_of(password, salt, kScramIterations))
                  : argon2id_text_of(password, salt);
}

class PasswdCommand {
 public:
  PasswdCommand(const PasswdOptions& options, Streams streams)
      : options_(options), streams_(streams) {}

  int run() {
    if (!read_file()) return kUsage;
    if (options_.is_delete) return remove();
    if (options_.user.empty()) return set_many();
    Asked asked = ask_password(options_.user, streams_);
    if (!asked.error.empty()) return fail(options_.user, asked.error);
    const int status = set(options_.user, asked.password, options_.user);
    OPENSSL_cleanse(asked.password.data(), asked.password.size());
    return status == kSuccess ? write() : status;
  }

 private:
  // A missing file is an empty one, but not for -D.
  bool read_file() {
    struct stat info {};
    const bool is_missing = ::stat(options_.file.c_str(), &info) != 0 && errno == ENOENT;
    if (is_missing && !options_.is_delete) return true;
    auto text = read_small_file(options_.file);
    if (const auto* error = std::get_if<FileError>(&text)) {
      fail(options_.file, error->what);
      return false;
    }
    text_ = std::get<std::string>(std::move(text));
    return true;
  }

  int remove() {
    auto without = without_user(text_, options_.user);
    if (!without) return fail(options_.file, "has no user \"" + options_.user + "\"");
    text_ = std::move(*without);
    return write();
  }

  int set(const std::string& user, const std::string& password, const std::string& where) {
    if (const char* fault = password_fault(password, options_.is_scram)) return fail(where, fault);
    const std::string hash = hash_text_of(password, options_.is_scram);
    if (hash.empty()) {
      fail(where, "the system gives no random bytes");
      return kCannotRun;
    }
    text_ = with_user(text_, user, hash);
    return kSuccess;
  }

  // Nothing is written unless every line is right.
  int set_many() {
    if (streams_.is_in_terminal) {
      return fail("USER", "expected USER, or lines of USER:PASSWORD on standard input");
    }
    size_t count = 0;
    for (int number = 1;; ++number) {
      const auto line = read_line(streams_.in);
      if (!line) break;
      if (line->empty() || line->starts_with('#')) continue;
      const std::string where = "standard input:" + std::to_string(number);
      const size_t colon = line->find(':');
      if (colon == std::string::npos) return fail(where, "expected USER:PASSWORD");
      const std::string user = line->substr(0, colon);
      if (const char* fault = user_name_fault(user)) return fail(where, fault);
      const int status = set(user, line->substr(colon + 1), where);
      if (status != kSuccess) return status;
      ++count;
    }
    if (count == 0) return fail("standard input", "expected lines of USER:PASSWORD");
    return write();
  }

  int write() {
    const FileError error = replace_file(options_.file, text_);
    if (error.what.empty()) return kSuccess;
    fail(options_.file, error.what);
    return kCannotRun;
  }

  int fail(const std::string& where, std::string what) {
    print_finding({.where = where, .what = std::move(what)}, streams_.err);
    return kUsage;
  }

  const PasswdOptions& options_;
  Streams streams_;
  std::string text_;
};

}  // namespace

int run_passwd(const Args& args, Streams streams) {
  const auto options = passwd_options_of(args);
  if (const auto* error = std::get_if<std::string>(&options)) {
    streams.err << "shoal: passwd: " << *error << "\n" << kUsageText;
    return kUsage;
  }
  const auto& read = std::get<PasswdOptions>(options);
  if (read.wants_help) {
    streams.out << kUsageText;
    return kSuccess;
  }
  return PasswdCommand(read, streams).run();
}

}  // namespace shoal
