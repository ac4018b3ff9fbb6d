from tailorlm.data.records import Example as Example
from tailorlm.data.records import Interaction as Interaction
from tailorlm.data.records import User as User
from tailorlm.profiles.profile import Profile as Profile
from tailorlm.profiles.profile import Statement as Statement
from tailorlm.tailor import Personal as Personal
from tailorlm.tailor import Tailor as Tailor

__version__: str
