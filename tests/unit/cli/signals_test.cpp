#include "cli/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

namespace svd::cli {
namespace {

using namespace std::chrono_literals;

/// Sends a signal to the whole process, as a terminal or kill(1) does.
void send(int signal) { kill(getpid(), signal); }

/// Waits for `done` for up to ten seconds.
template <typename Done>
bool wait_for(Done done) {
  for (int i = 0; i < 1000 && !done(); ++i) std::this_thread::sleep_for(10ms);
  return done();
}

class SignalsDeathTest : public testing::Test {
 protected:
  SignalsDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(SignalsDeathTest, ActsAtOnceBeforeThereIsAnythingToStop) {
  EXPECT_EXIT(
      {
        SignalWatcher watcher;
        send(SIGINT);
        std::this_thread::sleep_for(10s);
        _exit(0);
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST_F(SignalsDeathTest, AsksToStopWithTheFirstAndDiesOfItInTheEnd) {
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          SignalWatcher watcher;
          const std::stop_token stop = watcher.begin([] { std::fputs("stopping\n", stderr); });
          send(signal);
          if (!wait_for([&] { return stop.stop_requested(); })) _exit(99);
          if (!wait_for([&] { return watcher.received() == signal; })) _exit(98);
          die_of(watcher.received());
        },
        testing::KilledBySignal(signal), "stopping");
  }
}

TEST_F(SignalsDeathTest, DiesOfTheSecond) {
  EXPECT_EXIT(
      {
        SignalWatcher watcher;
        const std::stop_token stop = watcher.begin([] {});
        send(SIGINT);
        if (!wait_for([&] { return stop.stop_requested(); })) _exit(99);
        send(SIGTERM);
        std::this_thread::sleep_for(10s);
        _exit(0);
      },
      testing::KilledBySignal(SIGTERM), "");
}

TEST_F(SignalsDeathTest, LeavesAnIgnoredSignalIgnored) {
  EXPECT_EXIT(
      {
        std::signal(SIGINT, SIG_IGN);
        SignalWatcher watcher;
        send(SIGINT);
        std::this_thread::sleep_for(200ms);
        _exit(watcher.received() == 0 ? 7 : 1);
      },
      testing::ExitedWithCode(7), "");
}

TEST_F(SignalsDeathTest, RestoresTheDefaultAction) {
  EXPECT_EXIT(
      {
        { const SignalWatcher watcher; }
        send(SIGTERM);
        std::this_thread::sleep_for(10s);
        _exit(0);
      },
      testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace svd::cli
