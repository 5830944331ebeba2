#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace svd::media {

/// tests/support/file_server.py over a folder, stopped afterwards.
class LocalServer {
 public:
  explicit LocalServer(const std::filesystem::path& folder,
                       const std::vector<std::string>& options = {}) {
    std::vector<std::string> words = {"python3", SVD_TEST_DATA "/support/file_server.py",
                                      folder.string()};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const int code = posix_spawnp(&process_, "python3", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    std::string port;
    for (char c = 0; code == 0 && ::read(ends[0], &c, 1) == 1 && c != '\n';) port += c;
    close(ends[0]);
    EXPECT_FALSE(port.empty()) << "file_server.py did not start";
    address_ = "http://127.0.0.1:" + port + "/";
  }
  ~LocalServer() {
    if (process_ <= 0) return;
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
  }
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  /// With a slash at the end.
  const std::string& address() const { return address_; }

 private:
  pid_t process_ = 0;
  std::string address_;
};

}  // namespace svd::media
