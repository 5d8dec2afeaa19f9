"""Sentences built from a small vocabulary: mostly plain English, some with numbers and signs.

Together the texts contain every printable ASCII character; the split of a sentence follows from
the sentence itself.
"""

import itertools
import string
import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from utils.checks import DataError

T = TypeVar("T")


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


def phrases(text: str) -> list[str]:
    """Return the pieces between the bars of a text."""
    return text.replace("\n", "").split("|")


ARTICLES = words("the a the a my your his her our this every")
THINGS = words("""
apple arrow axe baby bag ball bank basket beach bear bed bell bench bicycle bird blanket boat bone
book bottle bowl box branch bread bridge brush bucket button cake camera candle carpet castle cat
chair cheese clock cloud coat coffee coin corner cow crown cup curtain desk diary doll door dragon
drawing dream dress drum duck egg engine envelope eye farm feather fence field fire fish flag
flower fog forest fork fox frame frog fruit garden gate ghost glass glove goat grape guitar hammer
hat hedge hill honey horse hotel house idea island jacket jar jewel jigsaw jug juice jungle kettle
key kitchen kite knife ladder lake lamp leaf lemon letter library light lion map market mask meadow
melody mirror moon morning mountain mouse museum music nail needle nest newspaper night oak ocean
office onion orange orchard oven owl page painting palace paper parcel path pencil photo piano
picture pie pillow plate pocket poem pond present pumpkin puzzle quarrel queen question quilt rabbit
radio railway rain recipe ribbon ring river road robin rocket roof room rope rose sail salt sand
school scissors sea secret shadow sheep shell ship shoe shop signal silver sink sky slipper smoke
snow soap sock song soup spider spoon square squirrel stairs star station stone storm story stove
street string sugar suitcase summer swan table tail tea teapot tent theatre ticket tiger toy train
tree trumpet tulip tunnel turtle umbrella valley vase village violin wagon wall watch water wave
wheel whistle wind window wing winter wolf wood xylophone yacht yard zebra zoo
""")
PEOPLE = words("""
actor aunt baker boy brother builder butcher captain child clerk cook cousin dancer daughter dentist
doctor driver farmer father fisherman friend gardener girl guest hunter judge juggler king lawyer
librarian man mayor mechanic mother musician neighbour nurse officer painter pilot plumber poet
postman prince queen sailor sister soldier son stranger student tailor teacher thief traveller
uncle visitor waiter woman writer
""")
QUALITIES = words("""
amazing ancient angry big black blue bright broken brown busy calm cheap clean clever cold common
crazy curious dark deep dirty dry dusty early easy empty exact exotic expensive famous fine foggy
fresh friendly frozen full funny fuzzy gentle golden good grand green grey happy hard heavy hidden
hot huge humble icy jolly large late lazy light little lonely long lost loud lovely lucky magic
modern mysterious narrow new nice noisy odd old orange pale patient perfect plain polite poor pretty
proud purple quick quiet rainy rare red rich round rusty sad sharp shiny short shy silent silver
simple small soft square strange strong sunny sweet tall thick thin tiny tired ugly unique useful
usual vague warm wet white wide wild wise wooden yellow young zany
""")
# Base form and past, of verbs that take an object and of those that need none.
DOINGS = [
    pair.split("/")
    for pair in words("""
ask/asked borrow/borrowed bring/brought build/built buy/bought carry/carried catch/caught
choose/chose clean/cleaned cover/covered describe/described draw/drew drop/dropped examine/examined
expect/expected explain/explained feed/fed find/found fix/fixed follow/followed forget/forgot
guard/guarded hear/heard help/helped hide/hid hold/held imagine/imagined inspect/inspected
join/joined judge/judged keep/kept know/knew leave/left like/liked lose/lost love/loved make/made
measure/measured meet/met miss/missed move/moved notice/noticed open/opened organize/organized
paint/painted photograph/photographed pick/picked praise/praised prefer/preferred promise/promised
pull/pulled push/pushed question/questioned reach/reached recognize/recognized remember/remembered
repair/repaired require/required save/saved see/saw sell/sold send/sent show/showed sketch/sketched
squeeze/squeezed steal/stole study/studied take/took touch/touched trust/trusted use/used
visit/visited want/wanted wash/washed watch/watched weigh/weighed wrap/wrapped
""")
]
GOINGS = [
    pair.split("/")
    for pair in words("""
agree/agreed appear/appeared arrive/arrived begin/began climb/climbed cough/coughed cry/cried
dance/danced disappear/disappeared doze/dozed dream/dreamed drive/drove fall/fell fly/flew
freeze/froze giggle/giggled hesitate/hesitated hurry/hurried jump/jumped kneel/knelt laugh/laughed
listen/listened pause/paused play/played quarrel/quarrelled relax/relaxed rest/rested run/ran
return/returned shiver/shivered shout/shouted sing/sang sit/sat sleep/slept smile/smiled
sneeze/sneezed stand/stood stop/stopped swim/swam talk/talked travel/travelled wait/waited wake/woke
walk/walked wander/wandered whisper/whispered wonder/wondered work/worked yawn/yawned
""")
]
MANNERS = words("""
again alone badly calmly carefully early easily exactly gently happily just lately lazily loudly
often once outside politely quickly quietly rarely sadly slowly softly soon suddenly together too
twice upstairs usually well
""")
RELATIONS = words("""
above across after against along around behind below beside beyond by for from inside into near past
through towards under with
""")
TIMES = phrases("""
after lunch|all day|at dawn|at midnight|at noon|at once|before dinner|during the storm|every day|
for an hour|in May|in the evening|in winter|last night|last week|next year|on Friday|on Sunday|
on Tuesday|since January|this morning|today|tomorrow|tonight|two days ago|until six|yesterday
""")
LINKS = phrases("and|but|so|while|because|when|until|although|before|after|if")
FIRST_NAMES = words("""
Adam Alice Anna Ben Bella Carl Clara David Diana Edith Emil Eva Felix Fiona Frank George Greta Hanna
Hugo Ida Igor Ivan Jack Jane Julia Karl Kate Kim Laura Leo Lucy Max Maria Mia Nina Noah Nora Olga
Oscar Otto Paul Petra Quentin Quinn Queenie Rita Robert Rosa Sam Sofia Susan Theo Tina Tom Ulla Uma
Ursula Vera Victor Viola Walter Wendy William Xavier Xenia Ximena Yann Yara Yvonne Zach Zelda Zoe
""")
LAST_NAMES = words("""
Abbott Archer Baker Berg Brown Carter Cook Dixon Dubois Evans Ellis Fisher Fox Garcia Green Hill
Holm Ito Irving Jones Jensen King Klein Lopez Lee Martin Moss Novak Nash Olsen Owen Park Price Quist
Quayle Rossi Reed Smith Stone Taylor Turner Urban Usher Vogel Vance Wagner Wood Xu Xiong Young Yates
Ziegler Zhang
""")
CITIES = words("""
Athens Berlin Cairo Dublin Exeter Florence Geneva Havana Istanbul Jakarta Kyoto Lisbon Madrid
Nairobi Oslo Paris Quebec Rome Stockholm Tokyo Utrecht Vienna Warsaw Xalapa York Zurich
""")
MONTHS = words("""
January February March April May June July August September October November December
""")
DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
NUMBERS = words("two three four five six seven eight nine ten eleven twelve twenty fifty")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SHOUTS = phrases("""
EXIT|QUIET PLEASE|NO PARKING|KEEP OUT|JUST DO IT|WET PAINT|VERY URGENT|MAX 5 KG|ZONE B|OPEN DAILY|
FOR SALE|THE END|QUIZ NIGHT|WHY NOT|GATE X|FREE JAZZ|HANDLE WITH CARE|PLATFORM 9|FAX BY 6 PM|
BUY MILK|OUT OF ORDER|ZEBRA CROSSING|QUEUE HERE|HAPPY BIRTHDAY|VOTE TODAY|JULY SALE|EXTRA LARGE
""")
GREETINGS = phrases("""
Thank you|Good morning|Good luck|Well done|Welcome home|See you soon|Never mind|Of course|Not yet|
Come in|Yes, please|No, thanks|Excuse me|Take care|I am sorry|Sleep well|Best wishes|How nice|
What a surprise|Just a moment|Happy birthday|Hello again|Oh dear|Quite so
""")


class Draws:
    """Choices from a generator's uniform numbers, the same on every machine."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._numbers: list[float] = []

    def number(self) -> float:
        """Return a number from 0 up to 1."""
        if not self._numbers:
            self._numbers = self._generator.random(64).tolist()
        return self._numbers.pop()

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self.number() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of `choices`."""
        return choices[int(self.number() * len(choices))]

    def chance(self, probability: float) -> bool:
        """Return True with `probability`."""
        return self.number() < probability


def split_of(text: str) -> int:
    """Return the split that a text belongs to: 0 training (half of all texts), 1 valid, 2 test."""
    return (0, 0, 1, 2)[zlib.crc32(text.encode()) % 4]


def a_thing(draws: Draws) -> str:
    """Return a thing with an article, such as "an old clock"."""
    noun = draws.pick(THINGS)
    if draws.chance(0.4):
        noun = f"{draws.pick(QUALITIES)} {noun}"
    article = draws.pick(ARTICLES)
    if article == "a" and noun[0] in "aeiou" and not noun.startswith(("uni", "us")):
        article = "an"
    return f"{article} {noun}"


def somebody(draws: Draws) -> str:
    """Return who does something, in the form used inside a sentence."""
    kind = draws.number()
    if kind < 0.3:
        return draws.pick(("I", "he", "she", "we", "they", "you", "nobody", "everyone"))
    if kind < 0.55:
        return draws.pick(FIRST_NAMES)
    if kind < 0.65:
        return f"{draws.pick(('Mr', 'Mrs', 'Dr', 'Ms'))} {draws.pick(LAST_NAMES)}"
    person = draws.pick(PEOPLE)
    if draws.chance(0.4):
        person = f"{draws.pick(QUALITIES)} {person}"
    return f"{draws.pick(('the', 'the', 'my', 'our', 'their'))} {person}"


def place(draws: Draws) -> str:
    """Return where something happens."""
    if draws.chance(0.2):
        return f"in {draws.pick(CITIES)}"
    return f"{draws.pick(RELATIONS)} {a_thing(draws)}"


def clause(draws: Draws) -> str:
    """Return a statement without its first capital and its full stop."""
    who = somebody(draws)
    if draws.chance(0.6):
        text = f"{who} {draws.pick(DOINGS)[1]} {a_thing(draws)}"
        if draws.chance(0.25):
            text += f" {place(draws)}"
    else:
        text = f"{who} {draws.pick(GOINGS)[1]}"
        if draws.chance(0.5):
            text += f" {draws.pick(MANNERS)}"
        if draws.chance(0.5):
            text += f" {place(draws)}"
    if draws.chance(0.2):
        text += f" {draws.pick(TIMES)}"
    return text


def capital(text: str) -> str:
    """Return a text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def plain(draws: Draws) -> str:
    """Return a sentence of words."""
    kind = draws.between(0, 99)
    question = ("Did", "Why did", "When did", "Will", "Could")
    if kind < 42:
        return capital(clause(draws)) + draws.pick("......!")
    if kind < 54:
        return f"{capital(clause(draws))}, {draws.pick(LINKS)} {clause(draws)}."
    if kind < 62:
        verb = draws.pick((draws.pick(DOINGS)[0] + " " + a_thing(draws), draws.pick(GOINGS)[0]))
        return f"{draws.pick(question)} {somebody(draws)} {verb}?"
    if kind < 66:
        return f"{draws.pick(('Where is', 'Who took', 'Is this', 'What about'))} {a_thing(draws)}?"
    if kind < 74:
        verb = capital(draws.pick(DOINGS)[0])
        start = draws.pick((verb, verb, f"Please {verb.lower()}", f"Don't {verb.lower()}"))
        return f"{start} {a_thing(draws)}{draws.pick(('.', '!', f' {draws.pick(TIMES)}.'))}"
    if kind < 82:
        said = draws.pick(("said", "cried", "whispered"))
        return f'"{capital(clause(draws))}," {said} {draws.pick(FIRST_NAMES)}.'
    if kind < 88:
        are, state = draws.pick(("is", "was", "isn't", "wasn't", "seems")), draws.pick(QUALITIES)
        return (
            f"{capital(a_thing(draws))} {are} {draws.pick(('', 'very ', 'too ', 'quite '))}{state}."
        )
    if kind < 92:
        owner, things = draws.pick(FIRST_NAMES), draws.pick(THINGS)
        return f"{owner}'s {things} {draws.pick(GOINGS)[1]} {draws.pick(MANNERS)}."
    if kind < 95:
        return f"{draws.pick(GREETINGS)}, {draws.pick(FIRST_NAMES)}{draws.pick('.!')}"
    if kind < 97:
        return f"Dear {draws.pick(FIRST_NAMES)} and {draws.pick(FIRST_NAMES)},"
    things = [draws.pick(THINGS) for _ in range(3)]
    return draws.pick(
        (
            f"{capital(things[0])}; {things[1]}; {things[2]}.",
            f"{capital(things[0])}, {things[1]} and {things[2]}.",
            f"{capital(things[0])} - {draws.pick(QUALITIES)} and {draws.pick(QUALITIES)}.",
            f"{capital(things[0])}: {draws.pick(NUMBERS)} or {draws.pick(NUMBERS)}",
        )
    )


def name(draws: Draws) -> str:
    """Return a name as used in programs."""
    return draws.pick((draws.pick(THINGS), draws.pick(QUALITIES), draws.pick("abcijknqxyz")))


def symbols(draws: Draws) -> str:
    """Return a line of numbers, addresses, formulas or code."""
    n, thing = draws.between, draws.pick(THINGS)
    first, last = draws.pick(FIRST_NAMES), draws.pick(LAST_NAMES)
    written = (
        lambda: f"{draws.pick(DAYS)}, {n(1, 28)} {draws.pick(MONTHS)} {n(1890, 2049)}",
        lambda: f"{draws.pick(MONTHS)} {n(1, 28)}, {n(1890, 2049)}",
        lambda: f"{first} was born in {n(1890, 2029)}.",
        lambda: f"{n(1, 12)}/{n(1, 28)}/{n(1980, 2039)} at {n(1, 23)}:{n(10, 59)}",
        lambda: f"The {thing} costs ${n(1, 999)}.{n(10, 99)}.",
        lambda: f"{n(2, 99)} {draws.pick(QUALITIES)} {thing}s for ${n(1, 99)}!",
        lambda: f"{n(5, 95)}% off: {thing} & {draws.pick(THINGS)}",
        lambda: f"{n(5, 95)}% of {n(5, 999)} = {n(1, 999)}",
        lambda: f"{last} & {draws.pick(LAST_NAMES)} ({draws.pick(CITIES)})",
        lambda: f"Room #{n(1, 99)}, {n(1, 400)} {last} Street",
        lambda: f"Tel. +{n(1, 99)} {n(100, 999)} {n(1000, 9999)}",
        lambda: f"{first.lower()}_{last.lower()}@{draws.pick(CITIES).lower()}.org",
        lambda: f"{thing}_{draws.pick(THINGS)}@mail{n(1, 99)}.net",
        lambda: f"{first[0]}. {last[0]}. {draws.pick(LAST_NAMES)} (p. {n(1, 999)})",
        lambda: f"{n(1, 99)} + {n(1, 99)} * {n(1, 99)} = {n(2, 9999)}",
        lambda: f"{n(2, 9)} * ({n(1, 99)} - {n(1, 99)}) < {n(10, 999)}",
        lambda: f"{thing}* < {draws.pick(THINGS)}**",
        lambda: f"{name(draws)}^{n(2, 9)} > {n(2, 99)}^{n(2, 9)}",
        lambda: f"~{n(2, 99)} km, ~{n(2, 99)} min",
        lambda: f"~/{thing}/{name(draws)}_{n(1, 99)}.txt",
        lambda: f"{draws.pick('CDEXZ')}:\\{thing}\\{name(draws)}",
        lambda: f"{name(draws)}[{n(0, 99)}] = {{{n(0, 9)}, {n(0, 9)}}};",
        lambda: f"if ({name(draws)} >= {n(1, 99)}) {{ {name(draws)}++; }}",
        lambda: f"{{{name(draws)}: [{n(0, 9)}.{n(0, 9)}, -{n(0, 9)}.{n(0, 9)}]}}",
        lambda: f"`{name(draws)} | {name(draws)}` \\ {n(1, 99)}",
        lambda: f"<b>{thing}</b> | `{name(draws)}`",
        lambda: f"{name(draws)} ^ {name(draws)} | ~{name(draws)} & {n(1, 9)}",
        lambda: f"#{thing} #{draws.pick(QUALITIES)} @{first}{n(1, 99)}",
        lambda: f"{draws.pick(SHOUTS)}!",
        lambda: f"{draws.pick(SHOUTS)}: {draws.pick(SHOUTS)}",
        lambda: f"{draws.pick(LETTERS)}{draws.pick(LETTERS)}{draws.pick(LETTERS)}-{n(100, 999)}",
        lambda: f"{draws.pick(LETTERS)}. {draws.pick(LETTERS)}. {last}, ${n(10, 99)}*",
    )
    return draws.pick(written)()


def sign(draws: Draws) -> str:
    """Return a word or two with characters rare in English, such as `50%` or `up | on`.

    At most 19 characters, and mostly fewer than 13.
    """
    n, mark = draws.between, draws.pick(SIGNS)
    opening, closing = draws.pick(PAIRS)
    short = draws.pick(SHORT)
    written = (
        lambda: mark,
        lambda: mark,
        lambda: mark,
        lambda: f"{opening}{short}{closing}",
        lambda: f"{short}{opening}{draws.pick(SHORT)}{closing}",
        lambda: f"{short} {opening}{draws.pick(SHORT)}{closing}",
        lambda: f"{short} {opening}{draws.pick(THINGS)}{closing}",
        lambda: f"{opening}{short}, {draws.pick(SHORT)}{closing}",
        lambda: f"{opening}{n(0, 99)}{closing}",
        lambda: draws.pick((f"{n(1, 99)}%", f"${n(1, 99)}", f"#{n(1, 99)}", f"~{n(1, 99)}")),
        lambda: f"{n(1, 9)}{draws.pick('+-*/=<>^')}{n(1, 9)}",
        lambda: f"{short}{draws.pick(WITHIN)}{draws.pick(SHORT)}",
        lambda: f"{draws.pick(THINGS)}{draws.pick(WITHIN)}{draws.pick(THINGS)}",
        lambda: f"{short} {draws.pick(BETWEEN)} {draws.pick(SHORT)}",
        lambda: f"{draws.pick(ATTACHED)}{short}",
        lambda: f"{draws.pick('ACDE')}:\\{short}",
        lambda: draws.pick((f"{short}!", f"{short};", f"{short}:", f"{short}?", f"{short}*")),
        lambda: draws.pick(CAPITALS[draws.pick(LETTERS)]),
        lambda: draws.pick(CAPITALS[draws.pick(LETTERS)]),
        lambda: draws.pick(CAPITALS[draws.pick(LETTERS)]),
        lambda: draws.pick(CAPITALS[draws.pick(LETTERS)]),
        lambda: draws.pick(CAPITALS[draws.pick(LIKE_OTHERS)]),
        lambda: draws.pick("QXZQXZJKUVY") + draws.pick("QXZJKUVY"),
        lambda: str(n(0, 9999)),
        lambda: str(n(0, 9)),
    )
    return draws.pick(written)()


SIGNS = "@#$%&*+=<>~|/\\[]{}{}()()?!QXZ"
"""Those that may stand alone: the height of a lone `_` or `^` is unknown."""
PAIRS = ("()", "()", "[]", "[]", "{}", "{}", "<>", "``", "``", '""', '""', "**", "||", "__")
"""Those that enclose. Brackets, which are alike, and quotes come twice as often."""
BETWEEN = "^^^|||~&+=<>*@#"
"""Those that stand between words, with blanks; otherwise rare ones more often."""
WITHIN = "@_/\\\\|&-+#~"
"""Those that stand between words without blanks; a backslash beside an `l` looks like a `v`."""
LIKE_OTHERS = "OOIKLRY"
"""Capitals that look like a digit, or like two letters where their strokes stand apart."""
CAPITALS = {
    letter: [name for name in LAST_NAMES + list(map(capital, THINGS)) if name[0] == letter]
    for letter in LETTERS
}
ATTACHED = "#@~$/\\_<>"
SHORT = words("""
a all an and are as at be box boy but by cat day did do dog end few for get go good had has he
help her him his hot how i in it its let long main man me men my new no not note now of off old
on one or our out over own page put red rest run same see set she six so some star sun tea ten
that the then they this time to too top two up us use was way we well went what who why with
work x y yes you zoo
""")

PLAIN = string.ascii_letters + " .,;:!?'\"-"
"""Characters of plain sentences."""


def sentence(draws: Draws, share: float) -> str:
    """Return a sentence, with probability `share` one of numbers and signs."""
    return symbols(draws) if draws.chance(share) else plain(draws)


def line(draws: Draws, split: int, low: int, high: int, share: float) -> str:
    """Return the text of one line of running text, with `low` to `high` characters.

    It begins with a sentence, sometimes in the middle of one, and breaks between words. Its
    sentences, and the line itself, belong to `split`: so a text is in one split only.

    Raises:
        DataError: if no such line is found, because `low` and `high` are too close.
    """
    for _ in range(10000):
        target = draws.between(low, high)
        text = ""
        while len(text) < target:
            unit = sentence(draws, share)
            if split_of(unit) == split:
                if not text and draws.chance(0.2):
                    words = unit.split(" ")
                    unit = " ".join(words[draws.between(0, len(words) - 1) :])
                text = f"{text} {unit}" if text else unit
        if len(text) > high:
            text = text[: high + 1].rsplit(" ", 1)[0]
        if low <= len(text) <= high and split_of(text) == split:
            return text
    raise DataError(f"no line of {low} to {high} characters could be generated")


def held_out(count: int, low: int = 20, high: int = 40) -> list[str]:
    """Return `count` distinct plain sentences of the test split, the same every time.

    Args:
        count: how many; the first ones of a longer list are those of a shorter one.
        low, high: bounds on their characters.
    """
    found: dict[str, None] = {}
    numbers = itertools.count()
    while len(found) < count:
        draws = Draws(np.random.default_rng([2, next(numbers)]))
        found.setdefault(line(draws, 2, low, high, 0.0))
    return list(found)


CARRIERS = dict(
    zip(
        string.ascii_uppercase + string.ascii_lowercase + string.digits,
        phrases("""
Anna came|Berlin|Clara|David said|Emil|Florence|Greta|Hello again|In winter|Jack|Kyoto|Laura|Maria|
Never mind|Oslo|Paris|Quentin|Rome|Susan|Thank you|Uma sings|Victor|Well done|Xenia|Yes please|
Zurich|a garden|number|the circle|good idea|the evening|coffee|a dragon|the house|milk and tea|
just now|a kettle|yellow|summer|the moon|open door|paper|a square|morning|the sister|little street|
under|every day|the window|next box|my story|frozen|room 10|page 21|2 apples|3 houses|gate 4|
5 letters|6 horses|7 rivers|8 candles|line 9
"""),
        strict=True,
    )
) | {
    "!": "come in!",
    '"': 'he said "no"',
    "#": "room #two",
    "$": "ten $ more",
    "%": "ten % off",
    "&": "salt & pepper",
    "'": "Anna's dog",
    "(": "tea (hot)",
    ")": "(or) red",
    "*": "two * three",
    "+": "one + two",
    ",": "yes, please",
    "-": "well-known",
    ".": "the end.",
    "/": "and/or",
    ":": "dear all:",
    ";": "wait; stop",
    "<": "two < ten",
    "=": "six = six",
    ">": "ten > two",
    "?": "who is it?",
    "@": "anna@home",
    "[": "list[one]",
    "\\": "home\\letters",
    "]": "word [sic]",
    "^": "up ^ here",
    "_": "file_name",
    "`": "run `this`",
    "{": "{one, two}",
    "|": "left | right",
    "}": "set {ten}",
    "~": "about ~ten",
}
"""Each visible ASCII character in a word or two (its carrier), to judge its legibility."""
