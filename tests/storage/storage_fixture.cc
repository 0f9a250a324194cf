#include "tests/storage/storage_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace shoal::storage {
namespace {

constexpr const char* kDirectory = "SHOAL_TEST_CHILD_DIRECTORY";
constexpr const char* kReports = "SHOAL_TEST_CHILD_REPORTS";

// The child's side of it: never returns.
[[noreturn]] void become(const std::string& name, const std::string& directory, int reports) {
  setenv(kDirectory, directory.c_str(), 1);
  setenv(kReports, std::to_string(reports).c_str(), 1);
  const std::string filter = "--gtest_filter=DISABLED_Child." + name;
  execl("/proc/self/exe", "child", filter.c_str(), "--gtest_also_run_disabled_tests",
        "--gtest_brief=1", nullptr);
  _exit(127);
}

bool has_passed(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

}  // namespace

std::string Child::directory() {
  const char* const directory = getenv(kDirectory);
  return directory ? directory : "";
}

void Child::report(uint64_t number) {
  const int reports = std::atoi(getenv(kReports));
  ASSERT_EQ(::write(reports, &number, sizeof number), static_cast<ssize_t>(sizeof number));
}

uint64_t StorageTest::kill_at(uint64_t until, const std::string& name,
                              const std::string& directory) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    become(name, directory, ends[1]);
  }
  close(ends[1]);
  uint64_t last = 0, number = 0;
  bool killed = false;
  while (::read(ends[0], &number, sizeof number) == static_cast<ssize_t>(sizeof number)) {
    last = number;
    if (last < until || killed) continue;
    kill(child, SIGKILL);
    killed = true;
  }
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(killed) << "the child ended by itself after " << last;
  return last;
}

bool StorageTest::passes_with_file_limit(uint64_t bytes, const std::string& name,
                                         const std::string& directory) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);  // the write fails with EFBIG instead
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(127);
    become(name, directory, STDOUT_FILENO);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return has_passed(status);
}

}  // namespace shoal::storage
