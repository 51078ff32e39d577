"""load.users.stages: when each user begins and leaves."""

from crawler.load.nanoseconds import SECOND
from crawler.load.users.stages import UserStages


def present(stages: UserStages, moment: float, users: int = 50) -> int:
    """The users that take part at this second."""
    now = moment * SECOND
    stays = (stay for user in range(users) for stay in stages.stays(user))
    return sum(begin <= now and (end is None or now < end) for begin, end in stays)


def test_users_come_in_a_straight_line_and_leave_in_one() -> None:
    """Ten come within ten seconds, stay for five, and leave within five."""
    stages = UserStages([(10, 10), (5, 10), (5, 0)])

    assert stages.most == 10
    assert [present(stages, moment) for moment in (0, 0.5, 1.5, 5.5, 9.5, 12, 15.2, 17.7, 19.9, 20)] == [
        *(1, 1, 2, 6, 10),
        *(10, 10, 5, 1, 0),
    ]


def test_a_user_may_come_back() -> None:
    """Down to two and up again: the third leaves and returns, the first stays."""
    stages = UserStages([(1, 4), (1, 2), (1, 4)])

    assert stages.stays(0) == [(0, None)]
    assert [len(stages.stays(user)) for user in range(5)] == [1, 1, 2, 2, 0]
    (_, left), (back, _) = stages.stays(2)
    assert left == round(2.0 * SECOND)
    assert back == 2 * SECOND


def test_a_stage_that_holds_its_number_changes_nothing() -> None:
    """A plateau has as many users as the line; nobody comes or leaves."""
    stages = UserStages([(1, 3), (60, 3)])

    assert [present(stages, moment) for moment in (1, 30, 60.9)] == [3, 3, 3]
