/*
 * bot.c: see bot.h.
 */
#include "bot.h"

#include "../compat/compat.h"
#include "command.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

bool bot_start(struct bot *bot, const char *command)
{
    int hears[2], says[2];

    if (!pipe_cloexec(hears) || !pipe_cloexec(says))
        return false;
    bot->pid = command_start(command, hears[0], says[1]);
    close(hears[0]);
    close(says[1]);
    bot->hears = hears[1];
    bot->says = says[0];
    fcntl(bot->says, F_SETFL, O_NONBLOCK);
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
