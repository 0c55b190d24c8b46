"""The texts of a parity check that is given none: English sentences and pairs of all lengths, written for it."""

SENTENCES: tuple[str, ...] = (
    "Yes.",
    "It rained.",
    "A dull film.",
    "Nobody called back.",
    "The soup was far too salty.",
    "What time does the last train leave?",
    "I would happily watch it again tomorrow!",
    "She repaired the old radio with a single spare valve.",
    "Prices rose by 3.5 % in May, after 2 quiet months.",
    "He didn't say no; he didn't say yes either.",
    '"Take the second door on the left," whispered the guide, "and mind the step."',
    "The café on Müller Street serves crêpes, jalapeños and a very good piñata cake.",
    "Despite a slow first act, the play wins you over with wit, warmth and two superb leads.",
    "E-mail me at anna.k@example.org or look at https://example.org/notes?id=42 before 9:30.",
    "The committee, which had met in secret for most of the winter, announced its decision on a Tuesday.",
    "Antidisestablishmentarianism is a word that people mention far more often than they have any use for it.",
    "There is a bakery, a chemist, a shop that sells nothing but buttons, and, if you walk as far as the bridge, "
    "an inn.",
    "Once the ice had melted the two brothers carried the boat down to the shore, patched its hull with tar and "
    "canvas, and waited for a wind that would take them round the headland before dark.",
    "The report lists four causes: poor drainage, a missing inspection, the wrong grade of steel, and, above all, the "
    "habit of putting off until next year whatever nobody had complained about yet, which everyone knew and none wrote "
    "down.",
    "When the orchestra began to tune, the lights in the hall went out one after another, the latecomers hurried along "
    "the rows with their coats still over their arms, someone dropped a programme from the balcony, and for a moment, "
    "before the first note, there was the kind of silence in which you can hear three hundred people deciding not to "
    "cough, a silence that the conductor, who had waited for it all his life, held a little longer than was polite.",
)

PAIRS: tuple[tuple[str, str], ...] = (
    ("Why?", "Because it was late."),
    ("A man plays a guitar.", "Someone is making music."),
    ("The shop opens at nine.", "The shop is closed at eight."),
    ("Two dogs run along the beach.", "The beach is empty."),
    ("Where is the key?", "It hangs behind the kitchen door."),
    ("He sold the car last week.", "Last week he sold his car."),
    ("The river flooded the lower town in March.", "There was a flood in spring."),
    ("Who wrote the letter?", "The letter, dated 4 June, is signed by both sisters."),
    ("Profits fell 12 % to $3.4 million.", "The company earned 12 % more than a year ago."),
    ("I can't find my glasses.", "My glasses are lost, I think, or at least they are not where I left them."),
    ("The museum lends its tapestries to nobody.", "Nobody may borrow a tapestry from the museum."),
    ("How many moons does the planet have, and which of them was found last?", "It has two."),
    ("Children under six travel free.", "A ticket is needed by everyone aged six or more, students included."),
    ("The bridge was rebuilt in stone after the fire.", "After the fire a wooden bridge was put up in its place."),
    ("Can the recipe be made without eggs?", "Replace each egg with a ripe banana, and bake it five minutes longer."),
    (
        "The village council voted to keep the old cinema open for one more year.",
        "For at least another year, films will be shown in the village.",
    ),
    (
        "Bees find their way by the sun, and on cloudy days by the pattern of polarised light in the sky.",
        "On a cloudy day bees stay in the hive.",
    ),
    (
        "The lighthouse was automated in 1988; since then its keeper's cottage has been let to holiday makers.",
        "No keeper has lived at the lighthouse since 1988.",
    ),
    (
        "Which metal, liquid at room temperature, was once used in thermometers and is now avoided in most of them?",
        "Mercury is a silvery metal that is liquid at room temperature; because its vapour is poisonous, thermometers "
        "are filled with coloured alcohol or with an alloy of gallium today.",
    ),
    (
        "After three seasons of drought the farmers of the valley agreed, for the first time in living memory, to "
        "share one well, to draw from it by turns, and to write down how much each of them had taken.",
        "The farmers kept a record of the water they drew from the shared well, and nobody was allowed to take more "
        "than his part.",
    ),
)

# A snowman, two scripts, a rocket, an integral, Braille, nothing visible; then accents without letters.
UNKNOWN: tuple[str, ...] = (
    "\u2603 \u6f22\u5b57 \u304b\u306a \U0001f680 \u222e \u2813 \u200b \ufffd",
    "zzqxv wkrtzzj 0x7f\u0301\u0301\u0301 \ufffc",
)
"""Characters that few vocabularies know, and no words."""


def shipped_texts() -> list[str | tuple[str, str]]:
    """All sentences and pairs, in turn, with short and long ones mixed."""
    count = len(SENTENCES)
    return [text for i in range(count) for text in (SENTENCES[7 * i % count], PAIRS[3 * i % count])]
