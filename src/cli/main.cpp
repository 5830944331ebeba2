#include "cli/run.h"

int main(int argc, char** argv) { return svd::cli::run(argc, argv); }
