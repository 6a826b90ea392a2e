#include "base/random.h"

#include <string.h>
#include <sys/random.h>

uint64_t
random_draw(struct random *random)
{
	uint64_t drawn;

	if (random->left == 0) {
		memset(random->numbers, 0, sizeof random->numbers);
		(void)!getrandom(
		    random->numbers, sizeof random->numbers, GRND_NONBLOCK);
		random->left =
		    sizeof random->numbers / sizeof random->numbers[0];
	}
	drawn = random->numbers[--random->left];
	random->numbers[random->left] = 0;
	return drawn;
}
