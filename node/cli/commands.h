// `shoal COMMAND ...`: finding the command, and the commands that need no network. Only main.cc ends
// the process; what is here returns the exit status: 0 success, 1 cannot run, 2 usage or
// configuration.
#pragma once

#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "node/config/finding.h"
#include "node/config/serve_config.h"

namespace shoal {

enum ExitStatus : int { kSuccess = 0, kCannotRun = 1, kUsage = 2 };

using Args = std::vector<std::string>;  // those after the command's name

struct Streams {
  std::istream& in;
  bool is_in_terminal;  // somebody is there to be asked
  std::ostream& out;
  std::ostream& err;

  static Streams standard();
};

struct Command {
  std::string_view name;
  std::string_view summary;
  std::function<int(const Args&)> run;
};

// Runs the command that the first argument names; serves --help and --version itself. `args` are
// main's, without the program's name.
int dispatch(const Args& args, const std::vector<Command>& commands, Streams streams);

// One line: "shoal: --max-inflight: expected a number, got "x"".
void print_finding(const Finding& finding, std::ostream& err);

struct Preparation {
  ServeConfig config;
  std::vector<Finding> warnings;  // for the log, once there is one
};
// What `shoal serve` runs with, its files looked at. Otherwise the exit status: everything that was
// to be said (help, errors) is said.
std::variant<Preparation, int> prepare_serve(const Args& args, Streams streams);

// `shoal check FILE`
int run_check(const Args& args, Streams streams);

// `shoal passwd FILE [USER] [-D] [--scram]`. Passwords are asked for on the terminal, or read from
// standard input where that is none.
int run_passwd(const Args& args, Streams streams);

}  // namespace shoal
