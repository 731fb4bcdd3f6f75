/* bot.c: starts the command with a pipe each way, and reaps it. */
#include "bot.h"

#include "../compat/compat.h"
#include "command.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

bool bot_start(struct bot *bot, const char *command)
{
    int input[2], output[2];

    if (!pipe_cloexec(input) || !pipe_cloexec(output))
        return false;
    bot->pid = command_start(command, input[0], output[1]);
    close(input[0]);
    close(output[1]);
    bot->input = input[1];
    bot->output = output[0];
    fcntl(bot->output, F_SETFL, O_NONBLOCK);
    return bot->pid > 0;
}

bool bot_reap(struct bot *bot)
{
    int status;

    if (bot->pid < 0 || waitpid(bot->pid, &status, WNOHANG) != bot->pid)
        return false;
    bot->pid = -1;
    bot->status = status;
    return true;
}

void bot_end(struct bot *bot, int grace_ms)
{
    command_end(bot->pid, grace_ms);
    bot->pid = -1;
}
